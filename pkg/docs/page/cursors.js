// The pointers of everybody, over the document. A place is given relative to a
// block (a paragraph, a heading, the slides), because pages differ in width.
import { element, picture, tint } from './element.js';

const every = 50; // ms between two of ours
const idleAfter = 6000;
const goneAfter = 45000;
const arrow = 'M2 1.5 6.6 17l3.1-6.3L16.5 8z';

export class Cursors {
  #paper;
  #layer;
  #send;
  #cursors = new Map(); // by socket: {place, mark, label, seen}
  #mine = null;
  #sent = 0;
  #timer = 0;

  // send passes the place of this window's pointer on.
  constructor(paper, layer, send) {
    this.#paper = paper;
    this.#layer = layer;
    this.#send = send;
    const moved = (event) => this.#moved(event);
    paper.addEventListener('pointermove', moved, { passive: true });
    paper.addEventListener('pointerdown', moved, { passive: true });
    paper.addEventListener('pointerleave', () => this.#queue({ block: 0, x: 0, y: 0, away: true }));
    new ResizeObserver(() => this.#cursors.forEach((c) => this.#put(c))).observe(paper);
    setInterval(() => this.#age(), 1000);
  }

  // show moves a cursor, or makes it. A pushed cursor is not to be trusted more
  // than the component checks: whatever is odd is ignored.
  show(cursor) {
    const { socket, name, hue, block, x, y, away } = cursor ?? {};
    if (typeof socket !== 'string') return;
    if (away) return this.drop(socket);
    if (!Number.isInteger(block) || !Number.isFinite(x) || !Number.isFinite(y)) return;
    let c = this.#cursors.get(socket);
    if (!c) {
      const label = element('span');
      const mark = element('div', { class: 'cursor' }, picture('0 0 20 20', arrow), label);
      mark.dataset.socket = socket;
      this.#layer.append(mark);
      c = { mark, label };
      this.#cursors.set(socket, c);
    }
    c.place = { block, x, y };
    c.seen = performance.now();
    c.label.textContent = String(name ?? '');
    c.mark.classList.remove('idle');
    tint(c.mark, hue);
    this.#put(c);
  }

  drop(socket) {
    this.#cursors.get(socket)?.mark.remove();
    this.#cursors.delete(socket);
  }

  // keep drops the cursors of those who left.
  keep(sockets) {
    for (const socket of this.#cursors.keys()) if (!sockets.has(socket)) this.drop(socket);
  }

  // find scrolls to somebody's cursor; false when there is none.
  find(socket) {
    const c = this.#cursors.get(socket);
    if (!c) return false;
    const target = this.#blocks()[c.place.block] ?? this.#paper;
    target.scrollIntoView({ block: 'center', behavior: 'smooth' });
    c.mark.classList.remove('found');
    void c.mark.offsetWidth; // begins the animation again
    c.mark.classList.add('found');
    return true;
  }

  #blocks() {
    return [...this.#paper.querySelectorAll(':scope > :is(h1, h2, p, .stage), li, dl > div')];
  }

  #moved(event) {
    let best;
    this.#blocks().forEach((element, block) => {
      const box = element.getBoundingClientRect();
      const off = Math.max(box.top - event.clientY, event.clientY - box.bottom, 0);
      if (!best || off < best.off) best = { off, box, block };
    });
    if (!best?.box.width || !best.box.height) return;
    const part = (at, from, size) => Math.round(Math.min(Math.max((at - from) / size, -4), 5) * 1e4) / 1e4;
    this.#queue({
      block: best.block,
      x: part(event.clientX, best.box.left, best.box.width),
      y: part(event.clientY, best.box.top, best.box.height),
    });
  }

  // queue sends the newest place, at most one in each `every`.
  #queue(place) {
    this.#mine = place;
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#sent = performance.now();
      this.#send({ ...this.#mine, at: Math.round(this.#sent * 10) / 10 });
    }, Math.max(0, this.#sent + every - performance.now()));
  }

  #put(c) {
    const block = this.#blocks()[c.place.block];
    if (!block) return;
    const layer = this.#layer.getBoundingClientRect();
    const box = block.getBoundingClientRect();
    const inside = (v, size) => Math.min(Math.max(v, 0), size - 12);
    const x = inside(box.left - layer.left + c.place.x * box.width, layer.width);
    const y = inside(box.top - layer.top + c.place.y * box.height, layer.height);
    c.mark.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
    c.mark.classList.toggle('flip', x > layer.width - 150);
  }

  #age() {
    const now = performance.now();
    for (const [socket, c] of this.#cursors) {
      if (now - c.seen > goneAfter) this.drop(socket);
      else c.mark.classList.toggle('idle', now - c.seen > idleAfter);
    }
  }
}
