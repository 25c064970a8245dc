// The connection to the gateway, and the document that is open over it. Every
// event between the page and the component is named in pkg/docs/doc.go.

const patience = 6000; // ms for an answer
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// openLink connects and keeps the document open: after a reconnect, after a gap
// and when the component asks for it, it is opened again and its state comes
// anew. `on` is what the page does with what arrives:
//
//   state(name, text)  connecting, opening, live, waiting or ended
//   view(view)         the state of the document
//   people, cursor, comment, slide   what the component pushes
//   facts({transport, socket})
//   notice(text)
//   busy(event, after) the gateway could not take an event; try again after ms
export function openLink(io, { name, me, transports, on }) {
  const socket = io({ transports, auth: { locale: navigator.language.slice(0, 32) } });
  const manager = socket.io;
  const usualDelay = manager.reconnectionDelay();
  let opening = null;
  let again = false;

  // open is one attempt at a time; what comes meanwhile has it done once more.
  function open() {
    if (opening) again = true;
    else opening = openUntilDone().finally(() => { opening = null; });
    return opening;
  }

  async function openUntilDone() {
    for (let wait = 500; socket.connected; wait = Math.min(wait * 2, 8000)) {
      again = false;
      try {
        const view = await ask('docs:open', { document: name, ...me() });
        if (view.document !== name || view.socket !== socket.id) continue; // of a connection before
        on.view(view);
        on.state('live', 'Live');
        if (!again) return;
        wait = 250;
      } catch (error) {
        if (error.refused === 'bad_request' || error.refused === 'full') {
          on.state('ended', error.refused === 'full' ? 'The document is full' : 'Not a document');
          return;
        }
        if (socket.connected) on.state('opening', 'No answer yet');
        await pause(wait * (0.5 + Math.random()));
      }
    }
  }

  // ask sends an event and waits for its answer. It throws when there is none in
  // time or no connection, and an error with `refused` when the component says no.
  async function ask(event, body) {
    if (!socket.connected) throw new Error('not connected'); // nothing is kept to be sent later
    const answer = await socket.timeout(patience).emitWithAck(event, body);
    if (!answer?.error) return answer;
    if (answer.error === 'not_open') open(); // it has forgotten us: its state is new
    throw Object.assign(new Error(String(answer.error)), { refused: String(answer.error) });
  }

  const tellFacts = () => on.facts(socket.connected ? { transport: manager.engine.transport.name, socket: socket.id } : {});

  socket.on('connect', () => {
    manager.reconnectionDelay(usualDelay);
    manager.engine.on('upgrade', tellFacts);
    on.state('opening', 'Opening');
    tellFacts();
    open();
  });
  socket.on('disconnect', (reason) => {
    tellFacts();
    if (socket.active) on.state('waiting', 'Reconnecting');
    else on.state('ended', reason === 'io client disconnect' ? 'Disconnected' : 'Sent away');
  });
  socket.on('connect_error', (error) => {
    if (socket.active) on.state('waiting', 'Reconnecting');
    else on.state('ended', error.message);
  });

  socket.on('docs:presence', on.people);
  socket.on('docs:cursor', on.cursor);
  socket.on('docs:comment', on.comment);
  socket.on('docs:slide', on.slide);
  socket.on('docs:hello', open);

  socket.on('sluice:gap', () => {
    on.notice('Something may have been missed. The page was read again.');
    open();
  });
  socket.on('sluice:closing', (news) => {
    if (news?.retry !== 'now' && news?.retry !== 'later') return; // the close itself ends it
    const after = Math.max(Number(news.retryAfterMs) || 0, 50);
    manager.reconnectionDelay(after); // the gateway says when: all its clients come back apart
    on.notice('The gateway restarts. Back in a moment.');
  });
  socket.on('sluice:busy', (news) => {
    on.busy(String(news?.event ?? ''), Math.max(Number(news?.retryAfterMs) || 0, 500));
  });

  return {
    open,
    ask,
    reconnect: () => socket.connect(),
    // throwAway sends what is not worth waiting for a connection.
    throwAway: (event, body) => socket.volatile.emit(event, body),
    get id() { return socket.id; },
    get live() { return socket.connected; },
  };
}
