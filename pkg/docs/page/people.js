// Who is here, as a row of faces.
import { element, initials, tint } from './element.js';

const shown = 6;

export class People {
  #rev = 0;
  #list;
  #find;

  // find is called with the socket of somebody whose face was clicked.
  constructor(list, find) {
    this.#list = list;
    this.#find = find;
  }

  // update shows a newer state and returns the sockets in it; undefined when the
  // state is an old one.
  update(state, self) {
    if (!(state?.rev >= this.#rev) || !Array.isArray(state.people)) return undefined;
    this.#rev = state.rev;
    const people = state.people.filter((p) => typeof p?.socket === 'string' && typeof p.name === 'string');
    const me = people.filter((p) => p.socket === self);
    const others = people.filter((p) => p.socket !== self);
    const visible = [...me, ...others].slice(0, shown);
    const faces = visible.map((p) => this.#face(p, p.socket === self));
    const rest = Math.max(Number(state.count) || 0, people.length) - visible.length;
    if (rest > 0) faces.push(element('li', {}, element('span', { class: 'face more', title: `${rest} more` }, `+${rest}`)));
    this.#list.replaceChildren(...faces);
    return new Set(people.map((p) => p.socket));
  }

  #face(person, self) {
    const title = self ? `${person.name} (you)` : person.name;
    const face = self
      ? element('span', { class: 'face', title, role: 'img', 'aria-label': title }, initials(person.name))
      : element('button', { class: 'face', type: 'button', title, 'aria-label': `Go to ${person.name}`, onclick: () => this.#find(person.socket) }, initials(person.name));
    const item = element('li', {}, tint(face, person.hue));
    item.dataset.socket = person.socket;
    return item;
  }
}
