// The page: what is on it, wired to the connection.
import { Comments } from './comments.js';
import { Cursors } from './cursors.js';
import { element } from './element.js';
import { openLink } from './link.js';
import { People } from './people.js';
import { namePlate } from './person.js';
import { Slides } from './slides.js';

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const name = query.get('doc') || 'welcome';
const transports = ['polling', 'websocket'].includes(query.get('transport')) ? [query.get('transport')] : ['polling', 'websocket'];

document.title = `${name} · Sluice`;
$('doc').textContent = name;
$('title').textContent = name.charAt(0).toUpperCase() + name.slice(1).replace(/[-_]+/g, ' ');
$('again').href = location.href;

function start(io) {
  let link;
  let hues = new Map(); // by socket
  const echoes = [];
  const me = namePlate($('you'), () => { if (link?.live) link.open(); });
  const ask = (event, body) => link.ask(event, body);

  const cursors = new Cursors($('paper'), $('cursors'), (place) => link.throwAway('docs:cursor', place));
  const people = new People($('people'), (socket) => { if (!cursors.find(socket)) notice('Their pointer is not on the page.'); });
  const comments = new Comments(
    { list: $('list'), scroll: $('scroll'), empty: $('empty'), compose: $('compose'), tallies: [$('tally'), $('jump-tally')] },
    { ask, me },
  );
  const slides = new Slides(
    { stage: $('stage'), previous: $('previous'), next: $('next'), count: $('count'), present: $('present'), follow: $('follow'), presenter: $('presenter') },
    {
      self: () => link?.id,
      hue: (socket) => hues.get(socket),
      ask: (event, body) => ask(event, body).catch((error) => {
        notice(error.refused === 'not_presenter' ? 'Somebody else presents now.' : 'That did not get through. Try again.');
      }),
    },
  );

  function showPeople(state) {
    const here = people.update(state, link.id);
    if (!here) return;
    hues = new Map(state.people.map((p) => [p.socket, p.hue]));
    cursors.keep(here);
  }

  function showState(state, text) {
    document.body.dataset.state = state;
    const reconnect = element('button', { type: 'button', class: 'plain word', onclick: () => link.reconnect() }, 'Reconnect');
    $('state-text').replaceChildren(text, ...(state === 'ended' ? [reconnect] : []));
  }

  // showCursor shows those of others; our own tells how long the way was.
  function showCursor(cursor) {
    if (cursor?.socket !== link.id) return cursors.show(cursor);
    const took = performance.now() - cursor.at;
    if (!(took >= 0 && took < 60000)) return;
    echoes.push(took);
    if (echoes.length > 25) echoes.shift();
    const median = [...echoes].sort((a, b) => a - b)[Math.floor(echoes.length / 2)];
    $('fact-echo').textContent = `${median < 10 ? median.toFixed(1) : Math.round(median)} ms`;
  }

  link = openLink(io, {
    name, me, transports,
    on: {
      state: showState,
      view(view) {
        showPeople(view.people);
        slides.update(view.slide);
        comments.merge(view.comments);
        comments.flush();
      },
      people: showPeople,
      cursor: showCursor,
      comment: (comment) => comments.add(comment),
      slide: (slide) => slides.update(slide),
      notice,
      facts({ transport, socket }) {
        $('fact-transport').textContent = transport ?? 'none';
        $('fact-socket').textContent = socket ?? 'none';
      },
      busy(event, after) {
        if (event === 'docs:cursor') return; // the next one will do
        notice(`Busy. Trying again in ${Math.ceil(after / 1000)} s.`);
        if (event === 'docs:comment') setTimeout(() => comments.flush(), after);
      },
    },
  });
}

// notice says something for a moment.
function notice(text) {
  const shown = [...$('notices').children].find((n) => n.textContent === text);
  shown?.remove();
  const bubble = element('p', { class: 'notice' }, text);
  $('notices').append(bubble);
  setTimeout(() => bubble.remove(), 5000);
}

// By day or by night: as the system says, until the button is pressed.
const root = document.documentElement;
try {
  if (localStorage.getItem('theme')) root.dataset.theme = localStorage.getItem('theme');
} catch { /* no storage, no memory */ }
$('theme').addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  try {
    localStorage.setItem('theme', root.dataset.theme);
  } catch { /* until the page is left, then */ }
});

if (globalThis.io) {
  start(globalThis.io);
} else {
  const text = 'The Socket.IO client is missing: run "npm ci" in pkg/docs/page and load this page again.';
  console.error(text);
  document.body.dataset.state = 'ended';
  $('state-text').textContent = 'No client';
  notice(text);
}
