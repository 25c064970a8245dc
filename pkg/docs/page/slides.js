// The slides: everybody turns them alone, until somebody presents.
import { tint } from './element.js';

export class Slides {
  #at = 0; // what is shown here
  #state = { rev: 0, index: 0, presenter: '', name: '' };
  #following = true;
  #parts;
  #slides;
  #self;
  #hue;
  #ask;

  // self tells this window's socket, hue the color of a socket's owner, ask sends
  // an event and throws when it was not followed.
  constructor(parts, { self, hue, ask }) {
    this.#parts = parts;
    this.#slides = [...parts.stage.querySelectorAll('.slide')];
    this.#self = self;
    this.#hue = hue;
    this.#ask = ask;
    parts.previous.addEventListener('click', () => this.#turn(this.#at - 1));
    parts.next.addEventListener('click', () => this.#turn(this.#at + 1));
    parts.present.addEventListener('click', () => this.#present());
    parts.follow.addEventListener('click', () => {
      this.#following = true;
      this.#show(this.#state.index);
    });
    parts.stage.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || event.target !== parts.stage) return;
      event.preventDefault();
      this.#turn(this.#at + step);
    });
    this.#show(0);
  }

  // update takes a state that the component pushed; older ones are ignored.
  update(state) {
    if (!(state?.rev >= this.#state.rev) || !Number.isInteger(state.index)) return;
    const began = state.presenter && state.presenter !== this.#state.presenter;
    this.#state = { rev: state.rev, index: state.index, presenter: String(state.presenter ?? ''), name: String(state.name ?? '') };
    if (began) this.#following = true;
    this.#show(this.#following ? state.index : this.#at);
  }

  get #presenting() { return this.#state.presenter !== '' && this.#state.presenter === this.#self(); }

  // turn shows another slide: to all when we present, else here alone.
  #turn(index) {
    if (index < 0 || index >= this.#slides.length) return;
    if (this.#presenting) {
      this.#ask('docs:slide', { index });
    } else if (this.#state.presenter) {
      this.#following = index === this.#state.index;
    }
    this.#show(index);
  }

  async #present() {
    this.#parts.present.disabled = true;
    await this.#ask('docs:present', { on: !this.#presenting, index: this.#at });
    this.#parts.present.disabled = false;
  }

  #show(index) {
    const { count, previous, next, present, follow, presenter } = this.#parts;
    this.#at = Math.min(Math.max(index, 0), this.#slides.length - 1);
    this.#slides.forEach((slide, i) => { slide.hidden = i !== this.#at; });
    count.textContent = `${this.#at + 1} of ${this.#slides.length}`;
    previous.disabled = this.#at === 0;
    next.disabled = this.#at === this.#slides.length - 1;

    const led = this.#state.presenter !== '' && !this.#presenting;
    const away = led && this.#at !== this.#state.index;
    present.textContent = this.#presenting ? 'Stop presenting' : led ? 'Take over' : 'Present';
    present.setAttribute('aria-pressed', String(this.#presenting));
    presenter.textContent = this.#presenting ? 'You present' : led ? `${this.#state.name} presents` : '';
    presenter.className = 'who';
    if (this.#state.presenter) tint(presenter, this.#hue(this.#state.presenter));
    follow.hidden = !away;
    follow.textContent = 'Follow';
    follow.setAttribute('aria-label', `Follow ${this.#state.name}`);
  }
}
