"""How the page looks, with system fonts only, for light and dark, for narrow screens and for paper."""

from eval import charts

CSS = """
:root { --wc-soft: #566274; --wc-teal: #0f766e; --wc-amber: #a15c07; --wc-grey: #5b6472; --wc-tint: #e6f4f1; }
.dark { --wc-soft: #a3afc0; --wc-teal: #2dd4bf; --wc-amber: #fbbf24; --wc-grey: #9ca3af; --wc-tint: #123f3b; }
.gradio-container .main.fillable, .gradio-container .html-container { padding: 0 !important; }
.gradio-container .column { gap: 8px; }
.gradio-container main { width: 100% !important; max-width: 880px !important; margin: 0 auto !important;
  padding: 0 16px 190px !important; }
footer, .wc-hidden { display: none !important; }
.wc-top { padding: 18px 0 12px; border-bottom: 1px solid var(--border-color-primary); }
.wc-top h1 { font-size: 1.45rem; margin: 0 0 2px; letter-spacing: .04em; }
.wc-top p { margin: 0; color: var(--wc-soft); font-size: .9rem; }
.wc-top .wc-who:not(:empty) { margin-top: 2px; } .wc-who a { color: var(--wc-teal); }
.wc-welcome { padding: 12vh 12px 0; text-align: center; line-height: 1.9; }
.wc-welcome p { color: var(--wc-soft); }
.wc-turn { padding: 14px 0 22px; border-bottom: 1px solid var(--border-color-primary); line-height: 1.8;
  overflow-wrap: anywhere; }
.wc-found { border-bottom: 0; padding-bottom: 0; scroll-margin-top: 8px; }
.wc-turn p { margin: 0; }
.wc-turn h4 { margin: 18px 0 4px; font-size: .92rem; color: var(--wc-soft); }
.wc-question { display: flex; justify-content: flex-end; margin-bottom: 14px; }
.wc-question p { background: var(--wc-tint); border-radius: 14px 14px 2px 14px; padding: 8px 14px;
  max-width: 85%; }
.wc-head { display: flex; align-items: center; gap: 10px; margin-bottom: 8px; }
.wc-head small, .wc-card small, .wc-place, .wc-note, .wc-stage, .wc-draft { color: var(--wc-soft); }
.wc-verdict { border-radius: 999px; padding: 1px 12px; font-size: .84rem; font-weight: 600; color: #fff; }
.wc-answered { background: #0f766e; } .wc-partial { background: #a15c07; } .wc-refused { background: #5b6472; }
.wc-wrong { background: #b91c1c; }
.wc-answer { font-size: 1.06rem; }
.wc-answer sup { line-height: 0; }
.wc-answer sup a { color: var(--wc-teal); text-decoration: none; padding: 2px 3px; border-radius: 4px; }
.wc-answer sup a:hover, .wc-answer sup a:focus-visible { background: var(--wc-tint); }
.wc-unsure { text-decoration: underline wavy #d97706; text-underline-offset: 4px; }
.wc-mark { font-style: normal; font-size: .8rem; color: #7c3a06; background: #fef3c7; border-radius: 4px;
  padding: 1px 6px; margin: 0 4px; }
.wc-note { font-size: .9rem; margin-top: 8px !important; }
.wc-warn { color: var(--wc-amber); }
.wc-error { border-left: 3px solid #dc2626; padding: 6px 12px; background: rgba(220, 38, 38, .08); }
.wc-toast { position: fixed; top: 16px; left: 50%; transform: translateX(-50%); z-index: 2000; max-width: 90vw;
  background: var(--body-background-fill); box-shadow: 0 2px 12px rgba(0, 0, 0, .25); cursor: pointer; }
.wc-steps { display: flex; flex-wrap: wrap; gap: 4px 0; list-style: none !important; padding: 0 !important;
  margin: 12px 0 0 !important; font-size: .88rem; color: var(--wc-soft); }
.wc-steps li { margin: 0; padding: 0; }
.wc-steps li + li:not(.wc-seconds)::before { content: "→"; margin: 0 8px; opacity: .6; }
.wc-steps .wc-done { color: var(--wc-teal); } .wc-steps .wc-next { opacity: .55; }
.wc-steps .wc-now { color: var(--wc-teal); font-weight: 600; }
.wc-steps .wc-now::after { content: ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%;
  margin-left: .45em; background: var(--wc-teal); animation: wc-pulse 1.2s infinite ease-in-out; }
.wc-seconds { margin-left: 14px !important; }
.wc-stage { font-size: .92rem; margin-top: 12px !important; }
.wc-stage progress { margin-left: 10px; vertical-align: middle; accent-color: var(--wc-teal); }
.wc-stage i { display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .5em;
  background: var(--wc-teal); animation: wc-pulse 1.2s infinite ease-in-out; }
@keyframes wc-pulse { 50% { opacity: .2; } }
.wc-draft { margin-top: 4px; }
.wc-draft-label { font-size: .8rem; border: 1px dashed currentColor; border-radius: 4px; padding: 0 6px; }
.wc-citations { padding-left: 1.7em !important; margin: 0 !important; list-style: decimal; }
.wc-citations li { margin: 0; padding: 6px 0 8px 4px; scroll-margin-top: 20px; border-radius: 6px; }
.wc-citations li:target { background: var(--wc-tint); }
.wc-citations li::marker { content: "[" counter(list-item) "] "; color: var(--wc-teal); font-size: .88rem; }
.wc-title { font-weight: 600; color: inherit !important; text-decoration: none !important; }
.wc-title:hover { text-decoration: underline !important; }
.wc-coverage { color: var(--wc-soft); font-size: .84rem; margin-top: 10px !important; }
.wc-actions, .wc-next { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; margin-top: 12px; }
.wc-next span { color: var(--wc-soft); font-size: .88rem; }
.wc-button { border: 1px solid var(--border-color-primary); border-radius: 6px; padding: 2px 10px; cursor: pointer;
  font-size: .86rem; line-height: 1.7; background: var(--body-background-fill); color: inherit; text-align: left; }
.wc-button:hover, .wc-button:focus-visible { border-color: var(--wc-teal); color: var(--wc-teal); }
.wc-button[aria-pressed=true] { background: var(--wc-tint); border-color: var(--wc-teal); }
.wc-citations blockquote { margin: 4px 0 !important; padding: 2px 12px !important; font-style: normal;
  border-left: 3px solid var(--wc-teal) !important; }
.wc-place { font-size: .88rem; }
.wc-turn summary { cursor: pointer; }
.wc-more .wc-card { margin-top: 6px; }
.wc-citations summary, .wc-evidence > summary, .wc-more > summary { color: var(--wc-soft); font-size: .9rem; }
.wc-evidence { margin-top: 12px; }
.wc-cards { display: grid; grid-template-columns: minmax(0, 1fr); gap: 6px; margin-top: 6px; }
.wc-card { border: 1px solid var(--border-color-primary); border-radius: 8px; padding: 6px 12px;
  font-size: .93rem; background: var(--background-fill-secondary); }
.wc-card summary { list-style: none; }
.wc-card summary::-webkit-details-marker { display: none; }
.wc-snippet { display: block; color: var(--wc-soft); font-size: .88rem; white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis; }
.wc-card[open] .wc-snippet { display: none; }
.wc-strength { display: inline-block; border-radius: 4px; padding: 0 6px; font-size: .78rem;
  margin-right: 8px; border: 1px solid currentColor; }
.wc-strong { color: var(--wc-teal); } .wc-medium { color: var(--wc-amber); } .wc-weak { color: var(--wc-grey); }
.wc-passage { white-space: pre-wrap; font-size: .93rem; padding: 6px 0; }
.wc-passage mark { background: #fde68a; color: #1f2937; }
#ask-bar { position: fixed; bottom: 0; left: 0; right: 0; z-index: 5; gap: 6px;
  padding: 10px max(16px, calc(50vw - 424px)) 8px; background: var(--body-background-fill);
  border-top: 1px solid var(--border-color-primary); }
#ask-bar .row { flex-wrap: nowrap; gap: 8px; align-items: flex-end; }
#ask-bar button.lg { white-space: nowrap; min-width: 64px; padding-left: 8px; padding-right: 8px; }
#ask-bar .form, #extractive { border: 0; box-shadow: none; background: none; }
#extractive { padding: 0; }
#ask-bar #ways { align-items: center; flex-wrap: wrap; }
#scenario { flex: 0 0 150px; }
#hint .wc-note { display: inline; margin-right: 10px; }
#complaint { gap: 6px; padding-bottom: 6px; }
.wc-blame { margin: 0; font-size: .95rem; }
#tabs > .tab-wrapper { position: sticky; top: 0; z-index: 4; background: var(--body-background-fill); }
#tabs .tabitem { border: 0; padding: 0; }
#reader { position: fixed; top: 0; right: 0; bottom: 0; width: 46vw; z-index: 6; }
#reader:not(:has(.wc-reader)) { display: none; }
#reader .html-container, #reader .prose { height: 100%; }
.wc-reader { height: 100%; display: flex; flex-direction: column; background: var(--body-background-fill);
  border-left: 1px solid var(--border-color-primary); box-shadow: -4px 0 18px rgba(15, 23, 42, .08); }
.wc-reader-bar { display: flex; flex-wrap: wrap; gap: 6px; justify-content: space-between; align-items: center;
  padding: 10px 16px; border-bottom: 1px solid var(--border-color-primary); }
.wc-ways, .wc-tools { display: flex; gap: 6px; align-items: center; }
.wc-ways b { font-size: .88rem; font-weight: 600; color: var(--wc-soft); }
.wc-find { width: 8.5em; border: 1px solid var(--border-color-primary); border-radius: 6px; padding: 2px 8px;
  font-size: .86rem; line-height: 1.7; background: var(--body-background-fill); color: inherit; }
.wc-find-count { color: var(--wc-soft); min-width: 2.5em; }
.wc-reader-text { flex: 1; overflow-y: auto; padding: 14px 20px 40vh; line-height: 1.9; overflow-wrap: anywhere; }
.wc-reader-text h2 { font-size: 1.15rem; margin: 0 0 2px; }
.wc-masthead { color: var(--wc-soft); font-size: .88rem; margin: 0 0 10px; }
.wc-contents { margin: 0 0 10px; font-size: .9rem; } .wc-contents summary { cursor: pointer; color: var(--wc-soft); }
.wc-contents ol { padding-left: 1.5em !important; } .wc-contents a { color: var(--wc-teal); text-decoration: none; }
.wc-contents .wc-level-2 { margin-left: 1.2em; } .wc-contents .wc-level-3 { margin-left: 2.4em; }
.wc-paragraph { margin: 0 0 .7em; text-indent: 2em; } .wc-heading { margin: 1em 0 .4em; font-weight: 600; }
.wc-reader a[id] { scroll-margin-top: 12px; }
mark.wc-here { background: #fde047; color: #1f2937; padding: 2px 0; }
mark.wc-other { background: #fef3c7; color: #1f2937; }
.wc-page::before { content: attr(data-page); font-size: .72rem; color: var(--wc-soft); border: 1px solid
  var(--border-color-primary); border-radius: 4px; padding: 0 4px; margin: 0 4px; }
::highlight(wc-hits) { background-color: #bae6fd; color: #0c4a6e; }
::highlight(wc-hit) { background-color: #0284c7; color: #fff; }
.wc-item { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; justify-content: space-between;
  padding: 10px 8px; border-bottom: 1px solid var(--border-color-primary); border-radius: 6px; }
.wc-item > a { flex: 1 1 16em; min-width: 0; text-align: left; overflow-wrap: anywhere;
  color: inherit !important; text-decoration: none !important; }
.wc-item > a:hover b { color: var(--wc-teal); } .wc-item small { display: block; color: var(--wc-soft); }
.wc-chosen { background: var(--wc-tint); } .wc-item-acts { display: flex; flex-wrap: wrap; gap: 6px; }
.wc-file { border-bottom: 1px solid var(--border-color-primary); padding: 10px 8px; overflow-wrap: anywhere; }
.wc-file summary { cursor: pointer; } .wc-file summary small { display: block; color: var(--wc-soft); }
.wc-articles { padding-left: 2em !important; margin: 6px 0 !important; line-height: 1.8; }
.wc-articles a { color: inherit !important; } .wc-articles small { color: var(--wc-soft); }
.wc-articles .wc-cited { color: var(--wc-teal); white-space: nowrap; }
.wc-table { overflow-x: auto; } .wc-table table { width: 100%; border-collapse: collapse; font-size: .9rem; }
.wc-table th, .wc-table td { text-align: left; padding: 6px 10px; vertical-align: top; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.wc-table :is(table, thead, tbody, tr) { border: 0 !important; }
#runs td:first-child, #audit td:nth-child(5) { min-width: 12em; } #audit td { white-space: nowrap; }
#audit td:nth-child(5) { white-space: normal; }
.wc-table th { color: var(--wc-soft); font-weight: 600; white-space: nowrap; }
"""

PLOTS = f"""
{charts.PLOTS}
.plot {{ {charts.LIGHT} }} .dark .plot {{ {charts.DARK} }}
.plots {{ margin: 12px 0; }} .plot h3 {{ margin: 0 0 4px !important; }}
"""
"""Rules for the plots of evaluation, those of its reports: into the head, like `SCREENS`."""

SCREENS = """
.toast-title.error { font-size: 0 !important; }
.toast-title.error::before { content: "没有成功"; font-size: 1rem; }
@media (min-width: 901px) {
  .gradio-container:has(.wc-reader) main { margin: 0 !important; width: 54vw !important; max-width: none !important;
    padding-left: 24px !important; padding-right: 24px !important; }
  .gradio-container:has(.wc-reader) #ask-bar { right: 46vw !important; width: 54vw !important;
    padding-left: 24px !important; padding-right: 24px !important; }
}
@media (max-width: 900px) { #reader { width: 100vw !important; } .wc-reader { border: 0 !important; } }
@media print {
  .gradio-container:has(.wc-reader) :is(.wc-top, #tabs) { display: none !important; }
  #ask-bar, .wc-reader-bar, .wc-contents, .wc-actions, .wc-next { display: none !important; }
  #reader { position: static !important; width: auto !important; }
  .wc-reader { border: 0 !important; box-shadow: none !important; height: auto !important; }
  .wc-reader-text { overflow: visible !important; padding: 0 !important; }
  .gradio-container main { margin: 0 !important; padding: 0 !important; max-width: none !important; }
}
@media (max-width: 600px) {
  .gradio-container main { padding: 0 12px 190px !important; }
  .wc-top h1 { font-size: 1.25rem !important; }
  .wc-question p { max-width: 94% !important; }
  #ask-bar button.lg { min-width: 52px !important; padding-left: 4px !important; padding-right: 4px !important; }
}
"""
"""Rules for some screens and for paper: Gradio would put its own prefix before them, so they go into the head."""
