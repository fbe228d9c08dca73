"""What the browser does by itself: sends clicks on our HTML to the server, keys, finding in an article, printing.

The HTML of `ui.web.view` names acts (`data-act`, `data-at`); `ON_LOAD` gives each to the event of its component that
serves it, `SCRIPT` does those that need no server. Nothing here makes HTML of data.
"""

ON_LOAD = """
const events = {open: 'select', retry: 'retry', edit: 'edit', up: 'like', down: 'like', suggest: 'example_select',
  close: 'clear'};
const own = new Set(['copy', 'cite', 'print', 'jump']);
element.addEventListener('click', (event) => {
  const target = event.target.closest('[data-act]');
  if (!target || !element.contains(target)) return;
  event.preventDefault();
  const {act, at} = target.dataset;
  if (own.has(act)) return window.weice[act](target, at);
  const word = target.dataset.ask;
  if (word && !window.confirm(word)) return;
  trigger(events[act] || 'click', {act, at});
});
"""

SCRIPT = """
<script>
(() => {
  const reader = () => document.querySelector('#reader .wc-reader');
  const say = (button, word) => {
    const before = button.textContent;
    button.textContent = word;
    setTimeout(() => { button.textContent = before; }, 1500);
  };
  const weice = window.weice = {
    copy(button) {
      const turn = button.closest('.wc-turn');
      const parts = ['.wc-answer', '.wc-citations'].map((part) => turn.querySelector(part)?.innerText);
      weice.cite(button, parts.filter(Boolean).join('\\n\\n'));
    },
    cite(button, text) {
      const old = () => {
        const box = document.createElement('textarea');
        box.value = text;
        document.body.append(box);
        box.select();
        const done = document.execCommand('copy');
        box.remove();
        return done ? Promise.resolve() : Promise.reject();
      };
      const copied = navigator.clipboard ? navigator.clipboard.writeText(text).catch(old) : old();
      copied.then(() => say(button, '已复制'), () => say(button, '复制不了'));
    },
    print() { window.print(); },
    jump(link, id) {
      document.getElementById(id)?.scrollIntoView({block: 'start'});
    },
    question() { return document.querySelector('#question textarea'); },
  };

  // Enter and Esc of an input method choose or drop its words: they neither send nor stop. Safari says 229.
  for (const kind of ['keydown', 'keypress', 'keyup']) document.addEventListener(kind, (event) => {
    if (!['Enter', 'Escape'].includes(event.key) || !(event.isComposing || event.keyCode === 229)) return;
    event.stopImmediatePropagation();
    if (kind === 'keypress') event.preventDefault();
  }, true);

  const tell = (line) => {
    const box = document.createElement('p');
    box.className = 'wc-error wc-toast';
    box.setAttribute('role', 'alert');
    box.textContent = line;
    box.addEventListener('click', () => box.remove());
    document.body.append(box);
    setTimeout(() => box.remove(), 15000);
  };
  const small = (event, files) => {
    const most = Number(document.querySelector('meta[name=weice-max-upload]').content);
    const big = [...(files || [])].filter((file) => file.size > most);
    if (!big.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const names = big.map((file) => file.name).join('、');
    const limit = most < 1 << 20 ? `${most >> 10} KB` : `${most >> 20} MB`;
    tell(`文件太大，没有上传：${names}。一个文件最多 ${limit}，请拆开后再传`);
    if (event.target.type === 'file') event.target.value = '';
  };
  document.addEventListener('change', (event) => {
    if (event.target.type === 'file') small(event, event.target.files);
  }, true);
  document.addEventListener('drop', (event) => small(event, event.dataTransfer?.files), true);

  // The server ends the stream of results when it knows of no event to come. One that joins while the end is on its
  // way would wait for ever, and its button with it: the end is passed on only where no event is left, else more is
  // read.
  const ask = window.fetch;
  const joining = new Set(), expected = new Set(), completed = new Set();
  window.fetch = async (...how) => {
    const path = new URL(how[0].url || how[0], location).pathname;
    let asked = ask(...how);
    if (path.endsWith('/queue/join')) {
      asked = asked.then(joined);
      joining.add(asked);
      asked.finally(() => joining.delete(asked)).catch(() => {});
    }
    if (path.endsWith('/queue/data')) asked = asked.catch(gone(how[0], new Response('')));
    const response = await asked;
    if (response.status === 401 && weice.question()) location.reload();  // the login is over: ask for it again
    return response.ok && path.endsWith('/queue/data') ? results(response, how[0]) : response;
  };
  const gone = (request, instead) => (error) => {  // the page has left the stream: nobody waits for more
    if (!request.signal.aborted) throw error;
    return instead;
  };
  const joined = async (response) => {
    if (!response.ok) return response;
    const {event_id: event} = await response.clone().json();
    if (!completed.delete(event)) expected.add(event);  // what is quick is told before its number is
    return response;
  };
  const results = (response, request) => {
    let reader;
    const told = async function* (body) {
      reader = body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const lines = (text + part.value).split('\\n\\n');
        text = lines.pop();
        for (const line of lines) {
          const {msg, event_id: event} = JSON.parse(line.slice('data:'.length));
          if (msg === 'close_stream') return;
          if (msg === 'process_completed' && !expected.delete(event)) completed.add(event);
          if (msg === 'unexpected_error' && !event) expected.clear();
          yield `${line}\\n\\n`;
        }
      }
    };
    const lines = (async function* () {
      for (let from = response; from.ok; from = await ask(request.clone())) {
        yield* told(from.body);
        await Promise.allSettled(joining);
        if (!expected.size) break;
      }
      yield 'data: {"msg": "close_stream"}\\n\\n';
    })();
    const body = new ReadableStream({
      async pull(to) {
        const {done, value} = await lines.next().catch(gone(request, {done: true}));
        if (done) to.close(); else to.enqueue(value);
      },
      cancel: (why) => reader.cancel(why),
    });
    return new Response(body.pipeThrough(new TextEncoderStream()), response);
  };

  let hits = [], hit = -1;
  const find = (word, step) => {
    const box = reader(), count = box?.querySelector('.wc-find-count');
    if (!box || !window.Highlight) return;
    if (!step) {
      hits = [];
      hit = -1;
      const walker = document.createTreeWalker(box.querySelector('.wc-reader-text'), NodeFilter.SHOW_TEXT);
      const nodes = [], starts = [];
      let whole = '';
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        nodes.push(node);
        starts.push(whole.length);
        whole += node.data.toLowerCase();
      }
      const at = (offset) => {
        let n = starts.length - 1;
        while (starts[n] > offset) n -= 1;
        return [nodes[n], offset - starts[n]];
      };
      const wanted = word.trim().toLowerCase();
      for (let i = wanted ? whole.indexOf(wanted) : -1; i >= 0; i = whole.indexOf(wanted, i + wanted.length)) {
        const range = new Range();
        range.setStart(...at(i));
        const [last, offset] = at(i + wanted.length - 1);
        range.setEnd(last, offset + 1);
        hits.push(range);
      }
      CSS.highlights.set('wc-hits', new Highlight(...hits));
    }
    if (hits.length) {
      hit = (hit + (step || 1) + hits.length) % hits.length;
      CSS.highlights.set('wc-hit', new Highlight(hits[hit]));
      const mark = hits[hit].startContainer.parentElement;
      const details = mark.closest('details');
      if (details) details.open = true;
      mark.scrollIntoView({block: 'center'});
    } else {
      CSS.highlights.delete('wc-hit');
    }
    count.textContent = word.trim() ? (hits.length ? `${hit + 1}/${hits.length}` : '没有') : '';
  };
  document.addEventListener('input', (event) => {
    if (event.target.matches?.('.wc-find')) find(event.target.value, 0);
  });
  document.addEventListener('keydown', (event) => {
    if (event.target.matches?.('.wc-find') && event.key === 'Enter') {
      event.preventDefault();
      find(event.target.value, event.shiftKey ? -1 : 1);
      return;
    }
    if (event.key !== 'Escape') return;
    const stop = document.querySelector('#stop');
    if (stop && stop.offsetParent) { stop.click(); return; }
    reader()?.querySelector('[data-act=close]')?.click();
  });

  const settle = () => {
    const box = reader();
    if (!box || box.dataset.settled) return;
    box.dataset.settled = '1';
    const here = box.querySelector('#here');
    if (here) here.scrollIntoView({block: 'center'});
    else box.querySelector('.wc-reader-text').scrollTop = 0;
    window.CSS?.highlights?.clear();
  };
  const watch = () => {
    new MutationObserver(settle).observe(document.body, {childList: true, subtree: true});
    settle();
  };
  if (document.body) watch(); else document.addEventListener('DOMContentLoaded', watch);
})();
</script>
"""
