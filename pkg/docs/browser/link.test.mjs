// The rules of the page's connection, against a client that does nothing by
// itself: what the gateway says of itself is rare, and not to be had on demand.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { openLink } from '../page/link.js';

if (!globalThis.navigator) globalThis.navigator = { language: 'en' };
const settled = () => new Promise((done) => setImmediate(done));

// stub is a client's socket. What is asked waits in `asked` for its answer.
function stub() {
  const socket = new EventEmitter();
  let delay = 1000;
  const asked = [];
  Object.assign(socket, {
    id: 's1', connected: false, active: true, asked, thrown: [],
    io: {
      engine: Object.assign(new EventEmitter(), { transport: { name: 'polling' } }),
      reconnectionDelay: (to) => (to === undefined ? delay : (delay = to)),
    },
    timeout: () => ({
      emitWithAck: (event, body) => new Promise((answer, fail) => asked.push({ event, body, answer, fail })),
    }),
    volatile: { emit: (event, body) => socket.thrown.push({ event, body }) },
    arrive: () => {
      socket.connected = true;
      socket.emit('connect');
    },
  });
  return socket;
}

function begin() {
  const socket = stub();
  const seen = [];
  const on = {};
  for (const name of ['state', 'view', 'people', 'cursor', 'comment', 'slide', 'facts', 'notice', 'busy']) {
    on[name] = (...args) => seen.push([name, ...args]);
  }
  const link = openLink(() => socket, { name: 'd', me: () => ({ name: 'Otter', hue: 1 }), transports: ['polling'], on });
  const count = (name) => seen.filter(([n]) => n === name).length;
  const answer = async (with_ = { document: 'd', socket: socket.id }) => {
    socket.asked.shift().answer(with_);
    await settled();
  };
  return { socket, seen, link, count, answer };
}

test('a connection opens the document and is live when it has its state', async () => {
  const { socket, seen, count, answer } = begin();
  socket.arrive();
  assert.deepEqual(socket.asked.map(({ event, body }) => [event, body]), [['docs:open', { document: 'd', name: 'Otter', hue: 1 }]]);
  assert.equal(count('view'), 0);
  await answer();
  assert.equal(count('view'), 1);
  assert.deepEqual(seen.at(-1), ['state', 'live', 'Live']);
});

for (const event of ['docs:hello', 'sluice:gap']) {
  test(`${event} has the document opened again`, async () => {
    const { socket, count, answer } = begin();
    socket.arrive();
    await answer();
    socket.emit(event, { document: 'd' });
    await answer();
    assert.equal(count('view'), 2);
    assert.equal(count('notice'), event === 'sluice:gap' ? 1 : 0);
  });
}

test('what asks for the document while it is being opened has it opened once more', async () => {
  const { socket, count, answer } = begin();
  socket.arrive();
  for (let i = 0; i < 5; i++) socket.emit('docs:hello');
  assert.equal(socket.asked.length, 1);
  await answer();
  assert.equal(socket.asked.length, 1);
  await answer();
  assert.equal(count('view'), 2);
  assert.equal(socket.asked.length, 0);
});

test('an answer to a connection of before is not taken', async () => {
  const { socket, count, answer } = begin();
  socket.arrive();
  await answer({ document: 'd', socket: 's0' });
  assert.equal(count('view'), 0);
  await answer();
  assert.equal(count('view'), 1);
});

test('a component that has forgotten us is told who we are', async () => {
  const { socket, link, count, answer } = begin();
  socket.arrive();
  await answer();
  const comment = link.ask('docs:comment', { text: 'hi' });
  const refused = assert.rejects(comment, { refused: 'not_open' });
  await answer({ error: 'not_open' });
  await refused;
  assert.equal(socket.asked[0].event, 'docs:open');
  await answer();
  assert.equal(count('view'), 2);
});

test('without a connection nothing is asked', async () => {
  const { socket, link } = begin();
  await assert.rejects(link.ask('docs:comment', { text: 'hi' }), /not connected/);
  assert.equal(socket.asked.length, 0);
});

test('a document that is refused for good is not asked for again', async () => {
  const { socket, seen, answer } = begin();
  socket.arrive();
  await answer({ error: 'full' });
  assert.deepEqual(seen.at(-1), ['state', 'ended', 'The document is full']);
  assert.equal(socket.asked.length, 0);
});

test('a gateway that leaves says when to come back, for once', () => {
  const { socket, count } = begin();
  socket.emit('sluice:closing', { code: 'drain', retry: 'now', retryAfterMs: 740 });
  assert.equal(socket.io.reconnectionDelay(), 740);
  assert.equal(count('notice'), 1);
  socket.emit('sluice:closing', { code: 'drain', retry: 'now' });
  assert.equal(socket.io.reconnectionDelay(), 50);
  socket.arrive();
  assert.equal(socket.io.reconnectionDelay(), 1000);
});

test('who is sent away for good is not told that the gateway restarts', () => {
  const { socket, count } = begin();
  socket.emit('sluice:closing', { code: 'kicked', retry: 'never' });
  assert.equal(count('notice'), 0);
});

test('busy is passed on with the time to wait', () => {
  const { socket, seen } = begin();
  socket.emit('sluice:busy', { event: 'docs:comment', ack: 3, code: 'busy', retry: 'later', retryAfterMs: 1830 });
  assert.deepEqual(seen.at(-1), ['busy', 'docs:comment', 1830]);
});

test('a client that was sent away does not say that it reconnects', () => {
  const { socket, seen } = begin();
  socket.connected = false;
  socket.emit('disconnect', 'transport close');
  assert.deepEqual(seen.at(-1), ['state', 'waiting', 'Reconnecting']);
  socket.active = false;
  socket.emit('disconnect', 'io server disconnect');
  assert.deepEqual(seen.at(-1), ['state', 'ended', 'Sent away']);
});
