// Conversations with the echo, byte by byte and with no Socket.IO library: what
// public protocol suites look at, in both generations.
//
//   node raw.mjs http://localhost:3000 300 200     ping interval and timeout in ms
//
// Writes one line of JSON for each conversation: {"name","ok","error","ms"}.
import { WebSocket } from "ws";

const [base, interval, timeout] = [process.argv[2], +process.argv[3], +process.argv[4]];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const US = "\x1e";

class Failure extends Error {}
const show = (v) => (Buffer.isBuffer(v) ? "bytes " + v.toString("hex") : JSON.stringify(v));
function equal(got, want, what = "") {
  if (show(got) !== show(want)) throw new Failure(`${what} got ${show(got)}, want ${show(want)}`);
}
function begins(got, want) {
  if (typeof got !== "string" || !got.startsWith(want)) throw new Failure(`got ${show(got)}, want ${want}...`);
  return got.slice(want.length);
}

// Both generations, and what differs between them in a payload.
const v4 = { eio: 4, pack: (...packets) => packets.join(US), unpack: (text) => text.split(US) };
const v3 = {
  eio: 3,
  pack: (...packets) => packets.map((p) => `${p.length}:${p}`).join(""),
  unpack: (text) => {
    const packets = [];
    while (text) {
      const colon = text.indexOf(":");
      const end = colon + 1 + +text.slice(0, colon);
      packets.push(text.slice(colon + 1, end));
      text = text.slice(end);
    }
    return packets;
  },
};
const url = (path, v, query) => `${base}${path}?EIO=${v.eio}&${query}`;

async function http(address, method = "GET", body) {
  const r = await fetch(address, { method, body, signal: AbortSignal.timeout(5000) });
  return { status: r.status, text: await r.text() };
}

// Polling is a session over HTTP; next() is its next packet.
class Polling {
  constructor(path, v, open) {
    Object.assign(this, { v, open, url: url(path, v, `transport=polling&sid=${open.sid}`), queue: [] });
  }
  static async open(path, v) {
    const r = await http(url(path, v, "transport=polling"));
    equal(r.status, 200);
    const [first, ...more] = v.unpack(r.text);
    const p = new Polling(path, v, JSON.parse(begins(first, "0")));
    p.queue = more;
    return p;
  }
  get() {
    return http(this.url);
  }
  async next() {
    if (this.queue.length === 0) {
      const r = await this.get();
      equal(r.status, 200);
      this.queue = this.v.unpack(r.text);
    }
    return this.queue.shift();
  }
  async post(...packets) {
    const r = await http(this.url, "POST", this.v.pack(...packets));
    equal([r.status, r.text], [200, "ok"]);
  }
  async gone() {
    equal((await this.get()).status, 400);
  }
}

// Link is a WebSocket; next() is its next message, a string or a Buffer.
class Link {
  constructor(address, options = { perMessageDeflate: false }) {
    this.queue = [];
    this.ws = new WebSocket(address.replace("http", "ws"), options);
    this.wake = () => {};
    this.ws.on("message", (data, binary) => this.put(binary ? data : data.toString()));
    this.ws.on("close", () => this.put(null));
    this.ws.on("error", () => {});
  }
  put(m) {
    this.queue.push(m);
    this.wake();
  }
  async next(within = 5000) {
    const late = Date.now() + within;
    while (this.queue.length === 0) {
      if (Date.now() >= late) throw new Failure("nothing came");
      await Promise.race([new Promise((resolve) => (this.wake = resolve)), sleep(late - Date.now())]);
    }
    return this.queue.shift();
  }
  // event is the next message that is no heartbeat.
  async event() {
    for (;;) {
      const m = await this.next();
      if (m !== "2") return m;
      this.send("3");
    }
  }
  send(...messages) {
    for (const m of messages) this.ws.send(m);
  }
  async closed(within = 5000) {
    const late = Date.now() + within;
    while ((await this.next(Math.max(late - Date.now(), 1))) !== null);
  }
  end() {
    this.ws.terminate();
  }
}

async function link(path, v, query = "", options = undefined) {
  const l = new Link(url(path, v, "transport=websocket" + query), options);
  if (query === "") l.open = JSON.parse(begins(await l.next(), "0"));
  else await new Promise((resolve) => l.ws.on("open", resolve));
  return l;
}

// joined is a WebSocket that is connected to "/" and has been greeted.
async function joined(v) {
  const l = await link("/socket.io/", v);
  if (v === v4) l.send("40");
  begins(await l.event(), "40");
  equal(await l.event(), '42["auth",{}]');
  return l;
}

const cases = {};
function handshake(open, upgrades) {
  equal(Object.keys(open), ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]);
  equal(open.upgrades, upgrades);
  equal([open.pingInterval, open.pingTimeout, open.maxPayload], [interval, timeout, 1000000]);
}

for (const path of ["/engine.io/", "/socket.io/"]) {
  for (const v of [v4, v3]) {
    const add = (name, f) => (cases[`${path} EIO=${v.eio} ${name}`] = f);
    add("polling handshake", async () => handshake((await Polling.open(path, v)).open, ["websocket"]));
    add("websocket handshake", async () => {
      const l = await link(path, v);
      handshake(l.open, []);
      l.end();
    });
    add("bad handshakes", async () => {
      for (const [query, method] of [
        ["transport=polling", "GET"],
        ["EIO=abc&transport=polling", "GET"],
        [`EIO=${v.eio}`, "GET"],
        [`EIO=${v.eio}&transport=abc`, "GET"],
        [`EIO=${v.eio}&transport=polling`, "POST"],
        [`EIO=${v.eio}&transport=polling`, "PUT"],
      ]) {
        equal((await http(`${base}${path}?${query}`, method)).status, 400, `${method} ${query}`);
      }
      for (const query of ["transport=websocket", "EIO=abc&transport=websocket", `EIO=${v.eio}&transport=abc`]) {
        await new Link(`${base}${path}?${query}`).closed();
      }
    });
    add("a silent poller is gone in time", async () => {
      const p = await Polling.open(path, v);
      await sleep(interval + timeout);
      await p.gone();
    });
    add("a silent websocket is closed in time", async () => {
      const l = await link(path, v);
      await l.closed(interval + timeout + 150);
    });
    add("a close packet over websocket", async () => {
      const l = await link(path, v);
      l.send("1");
      await l.closed(interval);
    });
    add("after an upgrade the websocket is all there is", async () => {
      const p = await Polling.open(path, v);
      const l = await link(path, v, `&sid=${p.open.sid}`);
      l.send("2probe");
      equal(await l.next(), "3probe");
      l.send("5");
      if (path === "/engine.io/") {
        l.send("4on time");
        equal(await l.event(), "4on time");
      } else {
        l.send(v === v4 ? "40" : "2");
        await l.next();
      }
      await p.gone();
      await new Link(url(path, v, `transport=websocket&sid=${p.open.sid}`)).closed();
      if (path === "/engine.io/") {
        l.send("4still");
        equal(await l.event(), "4still");
      }
      l.end();
    });
  }
  cases[`${path} EIO=4 heartbeat over polling`] = async () => {
    const p = await Polling.open(path, v4);
    for (let i = 0; i < 3; i++) {
      equal(await p.next(), "2");
      await p.post("3");
    }
  };
  cases[`${path} EIO=4 heartbeat over websocket`] = async () => {
    const l = await link(path, v4);
    for (let i = 0; i < 3; i++) {
      equal(await l.next(), "2");
      l.send("3");
    }
    l.end();
  };
  cases[`${path} EIO=3 heartbeat over websocket`] = async () => {
    const l = await link(path, v3);
    if (path === "/socket.io/") equal([await l.next(), await l.next()], ["40", '42["auth",{}]']);
    for (let i = 0; i < 3; i++) {
      l.send("2");
      equal(await l.next(), "3");
    }
    l.end();
  };
}

for (const v of [v4, v3]) {
  const add = (name, f) => (cases[`/engine.io/ EIO=${v.eio} ${name}`] = f);
  const open = () => Polling.open("/engine.io/", v);
  const binary = v === v4 ? "bAQIDBA==" : "b4AQIDBA==";
  add("text over polling", async () => {
    const p = await open();
    await p.post("4hello");
    equal((await p.get()).text, v.pack("4hello"));
    await p.post("4test1", "4test2", "4€😀");
    equal((await p.get()).text, v.pack("4test1", "4test2", "4€😀"));
  });
  add("binary over polling", async () => {
    const p = await open();
    p.url += "&b64=1";
    await p.post("4hello", binary);
    equal((await p.get()).text, v.pack("4hello", binary));
  });
  add("garbage over polling", async () => {
    const p = await open();
    await http(p.url, "POST", "abc");
    await p.gone();
  });
  add("two polls at once", async () => {
    const p = await open();
    const first = p.get();
    await sleep(20);
    equal((await p.get()).status, 400);
    equal([(await first).status, (await first).text], [200, v.pack("1")]);
    await p.gone();
  });
  add("a close packet over polling", async () => {
    const p = await open();
    const waiting = p.get();
    await sleep(20);
    await p.post("1");
    equal((await waiting).text, v.pack("6"));
    await p.gone();
  });
  add("text and binary over websocket", async () => {
    const l = await link("/engine.io/", v);
    const bytes = Buffer.from(v === v4 ? [1, 2, 3, 4] : [4, 1, 2, 3]);
    l.send("4hello", bytes);
    equal([await l.event(), await l.event()], ["4hello", bytes]);
    l.end();
  });
  add("garbage over websocket", async () => {
    const l = await link("/engine.io/", v);
    l.send("abc");
    await l.closed(interval);
  });
  add("a poll is released for the upgrade", async () => {
    const p = await open();
    const l = await link("/engine.io/", v, `&sid=${p.open.sid}`);
    l.send("2probe");
    equal(await l.next(), "3probe");
    const r = await p.get();
    equal([r.status, r.text], [200, v.pack("6")]);
    l.send("5", "4hello");
    equal(await l.event(), "4hello");
    l.end();
  });
}
cases["/engine.io/ EIO=3 heartbeat over polling"] = async () => {
  const p = await Polling.open("/engine.io/", v3);
  for (let i = 0; i < 3; i++) {
    await p.post("2");
    equal((await p.get()).text, "1:3");
  }
};
cases["/socket.io/ EIO=3 the handshake is one packet, the connect another"] = async () => {
  const r = await http(url("/socket.io/", v3, "transport=polling"));
  equal(v3.unpack(r.text).length, 1);
  const p = new Polling("/socket.io/", v3, JSON.parse(begins(v3.unpack(r.text)[0], "0")));
  equal(await p.next(), "40");
  equal(await p.next(), '42["auth",{}]');
};

// Socket.IO: what goes in after the connect and what must come out, bytes as
// arrays of numbers.
for (const v of [v4, v3]) {
  const add = (name, f) => (cases[`socket.io EIO=${v.eio} ${name}`] = f);
  const b = (...n) => Buffer.from(v === v4 ? n : [4, ...n]);
  const places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
  for (const [name, send, want] of [
    ["text event", ['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']],
    ["event without arguments", ['42["message"]'], ['42["message-back"]']],
    ["binary event", [`452-["message",${places}]`, b(1, 2, 3), b(4, 5, 6)], [`452-["message-back",${places}]`, b(1, 2, 3), b(4, 5, 6)]],
    ["ack", ['42456["message-with-ack",1,"2",{"3":[false]}]'], ['43456[1,"2",{"3":[false]}]']],
    ["binary ack", [`452-789["message-with-ack",${places}]`, b(1, 2, 3), b(4, 5, 6)], [`462-789[${places}]`, b(1, 2, 3), b(4, 5, 6)]],
    ["burst", ['42["burst",3,0]'], [0, 1, 2].map((i) => `42["message-back",${i}]`)],
    ["slow burst", ['42["burst",3,20]'], [0, 1, 2].map((i) => `42["message-back",${i}]`)],
    ["unknown namespace", ["40/random"], ['44/random,{"message":"Invalid namespace"}']],
    ["refused namespace", ["40/refused"], [v === v4 ? '44/refused,{"message":"Not authorized","data":{"code":"E1"}}' : '44/refused,{"code":"E1"}']],
    ["two messages", ['42["message",1]', '42["message",2]'], ['42["message-back",1]', '42["message-back",2]']],
    ["disconnect-me", ['42["disconnect-me",false]'], ["41"]],
    ["disconnect-me and close", ['42["disconnect-me",true]'], ["41", null]],
  ]) {
    add(name, async () => {
      const l = await joined(v);
      l.send(...send);
      for (const w of want) equal(await l.event(), w);
      l.end();
    });
  }
  for (const [name, ...send] of [
    ["unknown packet type", "4abc"],
    ["payload is no list", "42{}"],
    ["bad ack id", '42abc["message-with-ack",1]'],
    ["event to a namespace not joined", '42/custom,["message",1]'],
    ["text in place of an attachment", '451-["message",{"_placeholder":true,"num":0}]', '42["message"]'],
    ["disconnect from the only namespace, then an event", "41", '42["message"]'],
  ]) {
    add(`${name} closes`, async () => {
      const l = await joined(v);
      l.send(...send);
      await l.closed(interval);
    });
  }
  add("disconnect from one of two namespaces", async () => {
    const l = await joined(v);
    l.send("40/custom");
    begins(await l.event(), "40/custom");
    equal(await l.event(), '42/custom,["auth",{}]');
    l.send("41/custom", '42["message","to main"]');
    equal(await l.event(), '42["message-back","to main"]');
    l.end();
  });
  add("disconnect from the only namespace", async () => {
    const l = await joined(v);
    l.send("41");
    await l.closed(interval + timeout + 400);
  });
}
cases["socket.io EIO=3 the namespace's query is the auth"] = async () => {
  const l = await joined(v3);
  l.send("40/custom?token=abc&x=1&x=2");
  equal(await l.event(), "40/custom,");
  equal(await l.event(), '42/custom,["auth",{"token":"abc","x":["1","2"]}]');
  l.end();
};
for (const [ns, payload] of [["", ""], ["", '{"token":"123"}'], ["/custom,", ""], ["/custom,", '{"token":"abc"}']]) {
  cases[`socket.io EIO=4 connect ${ns || "/"} ${payload}`] = async () => {
    const l = await link("/socket.io/", v4);
    l.send(`40${ns}${payload}`);
    const answer = JSON.parse(begins(await l.event(), `40${ns}`));
    equal(Object.keys(answer), ["sid"]);
    equal(await l.event(), `42${ns}["auth",${payload || "{}"}]`);
    l.end();
  };
}
cases["socket.io EIO=4 an event before the connect closes"] = async () => {
  const l = await link("/socket.io/", v4);
  l.send('42["message"]');
  await l.closed(interval);
};
cases["socket.io EIO=4 the id is not the secret sid"] = async () => {
  const l = await link("/socket.io/", v4);
  l.send("40");
  const { sid } = JSON.parse(begins(await l.event(), "40"));
  if (!sid || sid === l.open.sid || l.open.sid.includes(sid)) throw new Failure(`sid ${sid}`);
  l.end();
};

for (const v of [v3, v4]) {
  cases[`socket.io EIO=${v.eio} compressed messages`] = async () => {
    const l = await link("/socket.io/", v, "", { perMessageDeflate: { threshold: 0 } });
    if (!l.ws.extensions.includes("permessage-deflate")) throw new Failure("no compression");
    if (v === v4) l.send("40");
    begins(await l.event(), "40");
    equal(await l.event(), '42["auth",{}]');
    for (const n of [10, 1023, 1024, 100_000]) {
      l.send(`421["message-with-ack","${"text ".repeat(n / 5)}"]`);
      equal(await l.event(), `431["${"text ".repeat(n / 5)}"]`);
    }
    l.send("x".repeat(1_000_001)); // compressed it is small
    await l.closed(5000);
  };
}

async function attempt(f) {
  try {
    await f();
    return "";
  } catch (e) {
    return e instanceof Failure ? e.message : String(e.stack);
  }
}

// run has a conversation, and another one if that fails: it is about
// milliseconds, which a machine that is busy may take away.
async function run([name, f]) {
  const from = Date.now();
  const error = (await attempt(f)) && (await attempt(f));
  process.stdout.write(JSON.stringify({ name, ok: !error, error, ms: Date.now() - from }) + "\n");
}
const waiting = Object.entries(cases).filter(([name]) => name.includes(process.argv[5] ?? ""));
const worker = async () => {
  while (waiting.length) await run(waiting.shift());
};
await Promise.all(Array.from({ length: 8 }, worker));
process.exit(0);
