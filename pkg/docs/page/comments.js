// The comments, and the form to write one. A comment of ours is shown at once
// and waits until the component has it; the same nonce goes with every attempt,
// so that it arrives once.
import { element, initials, tint } from './element.js';

const most = 300; // comments on the page
const text = (value, length) => [...String(value ?? '')].slice(0, length).join('');

export class Comments {
  #parts;
  #ask;
  #me;
  #shown = new Map(); // by id: the element
  #waiting = new Map(); // by nonce: {text, mark, sending}
  #foreign = 0;

  // ask sends an event and waits for its answer, me tells who writes.
  constructor(parts, { ask, me }) {
    this.#parts = parts;
    this.#ask = ask;
    this.#me = me;
    const { compose } = parts;
    const field = compose.elements.text;
    compose.addEventListener('submit', (event) => {
      event.preventDefault();
      const said = field.value.trim();
      if (!said) return;
      this.#say(said);
      field.value = '';
      this.#typed();
    });
    field.addEventListener('input', () => this.#typed());
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      compose.requestSubmit();
    });
    setInterval(() => this.#tick(), 20000);
    this.#typed();
  }

  // add shows a comment that was pushed, by the component or by hand: then it has
  // only {from, text}.
  add(comment, fresh = true) {
    if (typeof comment?.text !== 'string') return;
    const id = typeof comment.id === 'string' && comment.id ? comment.id : `by-hand-${++this.#foreign}`;
    const ours = this.#waiting.get(comment.nonce);
    if (ours) {
      ours.mark.remove();
      this.#waiting.delete(comment.nonce);
    }
    if (this.#shown.has(id)) return;
    const mark = this.#mark({
      from: text(comment.from, 64).trim() || 'Somebody',
      hue: comment.hue,
      text: text(comment.text, 4000),
      at: Number.isFinite(comment.at) ? comment.at : Date.now(),
    });
    mark.dataset.id = id;
    mark.classList.toggle('fresh', fresh);
    this.#shown.set(id, mark);
    this.#insert(mark);
    this.#trim();
  }

  // merge adds what the component kept to what is shown already: after a restart
  // it knows less than this page.
  merge(comments) {
    if (Array.isArray(comments)) comments.forEach((c) => this.add(c, false));
  }

  // flush sends again what is not known to have arrived.
  flush() {
    for (const nonce of this.#waiting.keys()) this.#send(nonce);
  }

  #say(said) {
    const nonce = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    const mark = this.#mark({ from: this.#me().name, hue: this.#me().hue, text: said, at: Date.now() });
    mark.classList.add('waiting');
    this.#waiting.set(nonce, { text: said, mark, sending: false });
    this.#parts.list.append(mark);
    this.#count();
    this.#toEnd();
    this.#send(nonce);
  }

  async #send(nonce) {
    const waiting = this.#waiting.get(nonce);
    if (!waiting || waiting.sending) return;
    waiting.sending = true;
    this.#remark(waiting.mark, '');
    try {
      const { id } = await this.#ask('docs:comment', { text: waiting.text, nonce });
      this.#arrived(nonce, String(id));
    } catch (error) {
      if (error.refused === 'bad_request') this.#remark(waiting.mark, 'Not accepted');
      else this.#remark(waiting.mark, 'Not sent yet', () => this.#send(nonce));
    } finally {
      waiting.sending = false;
    }
  }

  // arrived makes a waiting comment one of the document's, unless the comment
  // itself was faster than its acknowledgement.
  #arrived(nonce, id) {
    const waiting = this.#waiting.get(nonce);
    if (!waiting) return;
    this.#waiting.delete(nonce);
    if (this.#shown.has(id)) {
      waiting.mark.remove();
    } else {
      waiting.mark.classList.remove('waiting');
      waiting.mark.dataset.id = id;
      this.#shown.set(id, waiting.mark);
    }
    this.#count();
  }

  #mark({ from, hue, text, at }) {
    const face = element('span', { class: 'face', 'aria-hidden': 'true' }, initials(from));
    if (Number.isFinite(hue)) tint(face, hue);
    else face.classList.add('foreign');
    const when = new Date(at);
    const time = element('time', { datetime: when.toISOString(), title: when.toLocaleString() }, ago(at));
    const mark = element('li', { class: 'comment' }, face, element('header', {}, element('b', { title: from }, from), time), element('p', {}, text));
    mark.dataset.at = String(at);
    return mark;
  }

  // remark says under a comment what became of it.
  #remark(mark, remark, retry) {
    mark.querySelector('footer')?.remove();
    if (!remark) return;
    const footer = element('footer', {}, remark);
    if (retry) footer.append(' · ', element('button', { type: 'button', onclick: retry }, 'Try again'));
    mark.append(footer);
  }

  // insert keeps the order of time; what is new is nearly always the last.
  #insert(mark) {
    const { list, scroll } = this.#parts;
    const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
    let before = list.lastElementChild;
    while (before && (before.classList.contains('waiting') || Number(before.dataset.at) > Number(mark.dataset.at))) before = before.previousElementSibling;
    if (before) before.after(mark);
    else list.prepend(mark);
    this.#count();
    if (atEnd) this.#toEnd();
  }

  #trim() {
    for (const [id, mark] of this.#shown) {
      if (this.#shown.size <= most) return;
      mark.remove();
      this.#shown.delete(id);
    }
  }

  #toEnd() { this.#parts.scroll.scrollTop = this.#parts.scroll.scrollHeight; }

  #count() {
    const { list, empty, tallies } = this.#parts;
    const n = list.childElementCount;
    empty.hidden = n > 0;
    for (const tally of tallies) tally.textContent = n ? String(n) : '';
  }

  #typed() {
    const { compose } = this.#parts;
    compose.querySelector('button').disabled = !compose.elements.text.value.trim();
  }

  #tick() {
    for (const mark of this.#parts.list.children) mark.querySelector('time').textContent = ago(Number(mark.dataset.at));
  }
}

// ago says how long something is past, as people do.
function ago(at) {
  const seconds = Math.max(0, (Date.now() - at) / 1000);
  if (seconds < 45) return 'now';
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h`;
  return new Date(at).toLocaleDateString();
}
