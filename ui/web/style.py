"""How the page looks: one style sheet, with system fonts only, for light and dark and for narrow screens."""

CSS = """
:root { --wc-soft: #566274; --wc-teal: #0f766e; --wc-amber: #a15c07; --wc-grey: #5b6472; --wc-tint: #e6f4f1; }
.dark { --wc-soft: #a3afc0; --wc-teal: #2dd4bf; --wc-amber: #fbbf24; --wc-grey: #9ca3af; --wc-tint: #123f3b; }
.gradio-container .main.fillable, .gradio-container .html-container { padding: 0 !important; }
.gradio-container .column { gap: 8px; }
.gradio-container main { max-width: 880px !important; margin: 0 auto !important; padding: 0 16px 190px !important; }
footer { display: none !important; }
.wc-top { padding: 18px 0 12px; border-bottom: 1px solid var(--border-color-primary); }
.wc-top h1 { font-size: 1.45rem; margin: 0 0 2px; letter-spacing: .04em; }
.wc-top p { margin: 0; color: var(--wc-soft); font-size: .9rem; }
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
.wc-answer { font-size: 1.06rem; }
.wc-answer sup { line-height: 0; }
.wc-answer sup a { color: var(--wc-teal); text-decoration: none; padding: 0 1px; }
.wc-unsure { text-decoration: underline wavy #d97706; text-underline-offset: 4px; }
.wc-mark { font-style: normal; font-size: .8rem; color: #7c3a06; background: #fef3c7; border-radius: 4px;
  padding: 1px 6px; margin: 0 4px; }
.wc-note { font-size: .9rem; margin-top: 8px !important; }
.wc-warn { color: var(--wc-amber); }
.wc-error { border-left: 3px solid #dc2626; padding: 6px 12px; background: rgba(220, 38, 38, .08); }
.wc-stage { font-size: .92rem; margin-top: 12px !important; }
.wc-stage i { display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .5em;
  background: var(--wc-teal); animation: wc-pulse 1.2s infinite ease-in-out; }
@keyframes wc-pulse { 50% { opacity: .2; } }
.wc-draft { margin-top: 4px; }
.wc-draft-label { font-size: .8rem; border: 1px dashed currentColor; border-radius: 4px; padding: 0 6px; }
.wc-citations { padding-left: 1.7em !important; margin: 0 !important; list-style: decimal; }
.wc-citations li { margin: 0; padding: 6px 0 8px 4px; scroll-margin-top: 20px; border-radius: 6px; }
.wc-citations li:target { background: var(--wc-tint); }
.wc-citations li::marker { content: "[" counter(list-item) "] "; color: var(--wc-teal); font-size: .88rem; }
.wc-title { font-weight: 600; }
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
#ask-bar button { min-width: 64px; padding-left: 8px; padding-right: 8px; }
#ask-bar .form, #extractive { border: 0; box-shadow: none; background: none; }
#extractive { padding: 0; }
@media (max-width: 600px) {
  .gradio-container main { padding: 0 12px 190px !important; }
  .wc-top h1 { font-size: 1.25rem; }
  .wc-question p { max-width: 94%; }
  #ask-bar button { min-width: 52px; }
}
"""
