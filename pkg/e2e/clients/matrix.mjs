// Every official client, parser and transport against the echo (pkg/echo):
//
//   node matrix.mjs '{"token":"<jwt>","ways":{"one gateway":"http://...","two":"http://..."}}'
//
// Writes one line of JSON for each check: {"way","client","parser","transport",
// "check","error","ms"}, then {"holding":true} when one client of each
// kind is connected and quiet. A line on standard input says that the gateways
// have been restarted: each of these must come back by itself.
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import { io as io4 } from "socket.io-client";
import { io as io3 } from "socket.io-client-3";
import io2 from "socket.io-client-2";
import msgpack from "socket.io-msgpack-parser";
import msgpack2 from "socket.io-msgpack-parser-2";

const { token, ways } = JSON.parse(process.argv[2]);
const limit = 1_000_000; // maxPayload
const patience = 40_000;

const clients = [
  { client: "socket.io-client 2.5.0", io: io2, parsers: { JSON: undefined, MessagePack: msgpack2 }, old: true },
  { client: "socket.io-client 3.1.3", io: io3, parsers: { JSON: undefined, MessagePack: msgpack } },
  { client: "socket.io-client 4.8.4", io: io4, parsers: { JSON: undefined, MessagePack: msgpack } },
];
const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const report = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// bytes makes binary values of any kind comparable.
function bytes(v) {
  if (v instanceof ArrayBuffer) return Buffer.from(v);
  if (ArrayBuffer.isView(v)) return Buffer.from(v.buffer, v.byteOffset, v.byteLength);
  if (Array.isArray(v)) return v.map(bytes);
  if (v && typeof v === "object") return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, bytes(x)]));
  return v;
}
const brief = (v) => String(JSON.stringify(v)).slice(0, 200);
function equal(got, want) {
  if (!isDeepStrictEqual(bytes(got), bytes(want))) throw new Error(`got ${brief(got)}, want ${brief(want)}`);
}

// heard is the next time that an emitter says one of the events.
function heard(emitter, ...events) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`never heard ${events}`)), patience);
    for (const event of events) {
      emitter.once(event, (...args) => {
        clearTimeout(late);
        resolve(args);
      });
    }
  });
}
const acked = (socket, ...args) =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("never acknowledged")), patience);
    socket.emit(...args, (...answer) => {
      clearTimeout(late);
      resolve(answer);
    });
  });

const eventually = async (what, ok) => {
  for (const late = Date.now() + patience; !ok(); await sleep(20)) {
    if (Date.now() > late) throw new Error(what);
  }
};

// Combo is one kind of client on one way to the gateways.
class Combo {
  constructor(way, url, kind, parser, transport) {
    Object.assign(this, { way, url, kind, parser, transport });
  }
  label(check) {
    return { way: this.way, client: this.kind.client, parser: this.parser, transport: this.transport, check };
  }
  make(namespace = "/", credentials = undefined) {
    const socket = this.kind.io(this.url + namespace, {
      transports: transports[this.transport],
      parser: this.kind.parsers[this.parser],
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 500,
      ...(this.kind.old ? { query: this.query(credentials) } : { auth: credentials }),
    });
    socket.auths = []; // may come with the connect
    socket.on("auth", (auth) => socket.auths.push(auth));
    return socket;
  }
  // query is where the older generation says who it is, and which parser it has.
  query(credentials) {
    return this.parser === "MessagePack" ? { ...credentials, parser: "msgpack" } : credentials;
  }
  // with runs f with a client that is connected.
  async with(f, ...how) {
    const socket = this.make(...how);
    try {
      await heard(socket, "connect");
      return await f(socket);
    } finally {
      socket.disconnect();
    }
  }
  // refused gives what a client is told that does not get in.
  async refused(namespace, credentials) {
    const socket = this.make(namespace, credentials);
    try {
      const [e] = await heard(socket, this.kind.old ? "error" : "connect_error");
      return this.kind.old ? e : { message: e.message, data: e.data };
    } finally {
      socket.disconnect();
    }
  }
  refusal(message, data) {
    if (this.kind.old && this.parser === "MessagePack") return message; // it has room for a text only
    return this.kind.old ? (data ?? { message }) : { message, data };
  }
}

const values = [1, -0.5, "two €😀", null, true, { three: [[], {}, [false]] }];
const binary = [Buffer.from([1, 2, 3]), { deep: [Buffer.alloc(3000, 7)] }, "text"];

const checks = {
  "connect, id, auth": async (c) => {
    await c.with(async (s) => {
      // The older generation has no other than that of its connection.
      if (!s.id || (s.id === s.io.engine.id) !== Boolean(c.kind.old)) throw new Error(`id ${s.id}`);
      await eventually("no auth", () => s.auths.length);
      equal(s.auths, [{}]);
      if (c.transport === "upgrade" && s.io.engine.transport.name !== "websocket") {
        await heard(s.io.engine, "upgrade");
      }
      equal(s.io.engine.transport.name, c.transport === "polling" ? "polling" : "websocket");
    });
    const known = async (s) => {
      await eventually("no auth", () => s.auths.length);
      equal(s.auths[0].token, token);
    };
    await c.with(known, "/custom", { token });
  },
  "refused": async (c) => {
    equal(await c.refused("/", { token: "bad" }), c.refusal("Not authorized", { code: "unauthorized", retry: "new_token" }));
    equal(await c.refused("/refused"), c.refusal("Not authorized", { code: "E1" }));
    equal(await c.refused("/nowhere"), c.refusal("Invalid namespace"));
  },
  "server events": (c) =>
    c.with(async (s) => {
      for (const args of [values, binary, []]) {
        const back = heard(s, "message-back");
        s.emit("message", ...args);
        equal(await back, args);
      }
    }),
  "in order": (c) =>
    c.with(async (s) => {
      const got = [];
      s.on("message-back", (n) => got.push(n));
      s.emit("burst", 200, 0);
      s.emit("message", "end");
      for (const late = Date.now() + patience; got.at(-1) !== "end" && Date.now() < late; ) await sleep(10);
      equal(got, [...Array(200).keys(), "end"]);
    }),
  "acks": (c) =>
    c.with(async (s) => {
      equal(await acked(s, "message-with-ack", ...values), values);
      equal(await acked(s, "message-with-ack", ...binary), binary);
    }),
  "acks for the server": (c) =>
    c.with(async (s) => {
      s.on("question", (...args) => args.pop()(...args, "answered"));
      for (const args of [values, binary]) {
        const result = heard(s, "called");
        s.emit("call-me", ...args);
        equal(await result, [...args, "answered"]);
      }
    }),
  "large": (c) =>
    c.with(async (s) => {
      // What goes around it: names, lengths, and base64 where there are no bytes.
      const size = c.parser === "MessagePack" && c.transport !== "websocket" ? (limit * 3) / 4 - 100 : limit - 100;
      const text = "x".repeat(size);
      equal(await acked(s, "message-with-ack", text), [text]);
      const back = heard(s, "message-back");
      s.emit("message", text);
      equal(await back, [text]);
      const half = Buffer.alloc(limit / 2, 1);
      equal(await acked(s, "message-with-ack", half), [half]);
    }),
  "too large": (c) =>
    c.with(async (s) => {
      const again = heard(s, "disconnect").then(() => heard(s, "connect"));
      s.emit("message", "x".repeat(2 * limit));
      await again;
      equal(await acked(s, "message-with-ack", 1), [1]);
    }),
  "reconnect": (c) =>
    c.with(async (s) => {
      if (c.transport === "upgrade" && s.io.engine.transport.name !== "websocket") await heard(s.io.engine, "upgrade");
      const id = s.id;
      const again = heard(s, "disconnect").then(() => heard(s, "connect"));
      s.io.engine.write("no packet"); // makes the server close the connection
      await again;
      if (s.id === id) throw new Error("the same id");
      equal(await acked(s, "message-with-ack", 1), [1]);
    }),
  "disconnects": async (c) => {
    await c.with(async (s) => {
      const reason = heard(s, "disconnect");
      s.disconnect();
      equal((await reason)[0], "io client disconnect");
    });
    for (const whole of [false, true]) {
      await c.with(async (s) => {
        const reason = heard(s, "disconnect");
        s.emit("disconnect-me", whole);
        equal((await reason)[0], "io server disconnect");
        s.connect();
        await heard(s, "connect");
        equal(await acked(s, "message-with-ack", 1), [1]);
      });
    }
  },
  "namespaces": (c) =>
    c.with(async (s) => {
      const custom = s.io.socket("/custom", {});
      await heard(custom, "connect");
      const back = [heard(s, "message-back"), heard(custom, "message-back")];
      s.emit("message", "main");
      custom.emit("message", "custom", Buffer.from([1]));
      equal(await Promise.all(back), [["main"], ["custom", Buffer.from([1])]]);
      const gone = heard(custom, "disconnect");
      custom.emit("disconnect-me", false);
      equal((await gone)[0], "io server disconnect");
      equal(await acked(s, "message-with-ack", 1), [1]);
    }),
};

async function attempt(combo, check, f) {
  const from = Date.now();
  let error = "";
  try {
    await f(combo);
  } catch (e) {
    error = String(e.message ?? e);
  }
  report({ ...combo.label(check), error, ms: Date.now() - from });
}

const combos = [];
for (const [way, url] of Object.entries(ways)) {
  for (const kind of clients) {
    for (const parser of Object.keys(kind.parsers)) {
      for (const transport of Object.keys(transports)) combos.push(new Combo(way, url, kind, parser, transport));
    }
  }
}
const waiting = [...combos];
await Promise.all(
  Array.from({ length: 6 }, async () => {
    while (waiting.length) {
      const combo = waiting.shift();
      for (const [check, f] of Object.entries(checks)) await attempt(combo, check, f);
    }
  }),
);

// One client of each kind stays over a restart of all gateways.
for (const combo of combos) {
  combo.held = combo.make();
  combo.connects = 0;
  combo.held.on("connect", () => combo.connects++);
}
await eventually("clients to hold connect", () => combos.every((c) => c.connects === 1));
report({ holding: true });
await new Promise((resolve) => createInterface({ input: process.stdin }).once("line", resolve));
await Promise.all(
  combos.map((combo) =>
    attempt(combo, "gateway restart", async (c) => {
      // A way that led over the gateway that left last may be cut once more.
      for (let answer; !answer; ) {
        await eventually("it did not reconnect", () => c.connects > 1 && c.held.connected);
        const cut = new Promise((resolve) => c.held.once("disconnect", () => resolve(undefined)));
        answer = await Promise.race([cut, acked(c.held, "message-with-ack", 1)]);
        if (answer) equal(answer, [1]);
      }
      c.held.disconnect();
    }),
  ),
);
setTimeout(() => process.exit(0), 1500); // let the disconnects leave
