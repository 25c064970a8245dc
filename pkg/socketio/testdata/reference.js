// Writes reference.json and verdicts.json: what the JavaScript packages encode, and
// what their decoders say to input written by hand.
//
//   npm install p4@npm:socket.io-parser@4.2.7 p3@npm:socket.io-parser@3.4.5 \
//     socket.io-msgpack-parser@3.0.2 notepack.io@3.0.1 np2@npm:notepack.io@2.3.0
//   node reference.js reference.json verdicts.json
const p4 = require('p4'), p3 = require('p3'), np3 = require('notepack.io'), np2 = require('np2'), mp = require('socket.io-msgpack-parser');
const v = n => require('./node_modules/' + n + '/package.json').version;
const hex = b => Buffer.from(b instanceof ArrayBuffer ? new Uint8Array(b) : b).toString('hex');
const T = ['connect','disconnect','event','ack','connect_error'];
const B = s => Buffer.from(s, 'hex');
const long = 'x'.repeat(300), nul = null;
const packets = [
  ['connect', () => ({type:0, nsp:'/'})],
  ['connect with auth', () => ({type:0, data:{token:'abc', n:1}, nsp:'/'})],
  ['connect custom', () => ({type:0, nsp:'/admin'})],
  ['connect answer', () => ({type:0, data:{sid:'0a1b2c3d4e5f6'}, nsp:'/admin'})],
  ['connect answer resumable', () => ({type:0, data:{sid:'0a1b2c3d4e5f6', pid:'p-1'}, nsp:'/'})],
  ['disconnect', () => ({type:1, nsp:'/'})],
  ['disconnect custom', () => ({type:1, nsp:'/admin'})],
  ['connect error', () => ({type:4, data:{message:'Invalid namespace'}, nsp:'/nope'})],
  ['connect error data', () => ({type:4, data:{message:'no "way"', data:{code:42, why:['a',null]}}, nsp:'/'})],
  ['event', () => ({type:2, data:['hello'], nsp:'/'})],
  ['event args', () => ({type:2, data:['edit', 1, -1, 1.5, 'two', null, true, false, {a:[1,{b:2}]}, []], nsp:'/'})],
  ['event ack', () => ({type:2, data:['edit', {at:3}], id:7, nsp:'/admin'})],
  ['event largest ack', () => ({type:2, data:['e'], id:9007199254740991, nsp:'/'})],
  ['event number name', () => ({type:2, data:[12, 'a'], nsp:'/'})],
  ['event escapes', () => ({type:2, data:['q"\\\b\f\n\r\t\u0001', '\u007f\u2028é€😀/<'], nsp:'/'})],
  ['event empty name', () => ({type:2, data:['', {}], nsp:'/'})],
  ['event ints', () => ({type:2, data:['n', 0,127,128,255,256,65535,65536,4294967295,4294967296,9007199254740991,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,-9007199254740991], nsp:'/'})],
  ['event floats', () => ({type:2, data:['f', 0.1, 1e-7, -2.5, 5e-324, 123456.789, 1e17, -1e17], nsp:'/'})],
  ['event long', () => ({type:2, data:['l', long, Array.from({length:20},(_, i)=>i), Object.fromEntries(Array.from({length:20},(_, i)=>['k'+i,i])), 'y'.repeat(40)], nsp:'/'})],
  ['event placeholder lookalike', () => ({type:2, data:['p', {_placeholder:true, num:5}], nsp:'/'})],
  ['ack empty', () => ({type:3, data:[], id:0, nsp:'/'})],
  ['ack', () => ({type:3, data:['ok', {n:1}], id:12, nsp:'/admin'})],
  ['binary event', () => ({type:2, data:['blob', B('01020304')], nsp:'/'}), true],
  ['binary event two', () => ({type:2, data:['blob', {a:B(''), l:[B('ff00')]}, 'x'], id:3, nsp:'/admin'}), true],
  ['binary event large', () => ({type:2, data:['blob', Buffer.alloc(300, 7)], nsp:'/'}), true],
  ['binary ack', () => ({type:3, data:[B('aa')], id:7, nsp:'/'}), true],
];
const out = {made_with: {'socket.io-parser 4': v('p4'), 'socket.io-parser 3': v('p3'), 'notepack.io 3': v('notepack.io'), 'notepack.io 2': v('np2'), 'notepack.io of socket.io-msgpack-parser': require('./node_modules/socket.io-msgpack-parser/node_modules/notepack.io/package.json').version, 'socket.io-msgpack-parser': v('socket.io-msgpack-parser')}, packets: [], dates: []};
for (const [name, make, bin] of packets) {
  const e4 = new p4.Encoder().encode(make());
  let q = make(); if (bin) q.type += 3;
  let e3; new p3.Encoder().encode(q, x => { e3 = x; });
  const m3 = new mp.Encoder().encode(make())[0];
  // both decoders take what was encoded
  const d4 = new p4.Decoder(); let got; d4.on('decoded', p => got = p); e4.forEach(x => d4.add(x)); if (!got) throw name;
  new mp.Decoder().add(m3);
  out.packets.push({name, type: T[make().type], nsp: make().nsp, id: make().id ?? null, text4: e4[0], text3: e3[0], attachments: e4.slice(1).map(hex), msgpack: hex(m3), msgpack3: hex(np3.encode(make()))});
}
// values that only MessagePack has, with the JSON that JSON.stringify gives
const dates = [0, 1, 999, -1, -1500, 1e12, 1234567890123, 4294967295000, 4294967296000, 253402300799999, 253402300800000, -62198755200000, -62167219200000, 8.64e15, -8.64e15];
for (const ms of dates) {
  const d = new Date(ms), pkt = {type:2, data:['d', d], nsp:'/'};
  out.dates.push({ms, json: JSON.stringify(d), notepack3: hex(np3.encode(pkt)), notepack2: hex(np2.encode(pkt))});
}
out.others = [
  {name:'undefined argument', json:'["u",null,1]', frame: hex(np2.encode({type:2, data:['u', undefined, 1], nsp:'/'}))},
  {name:'undefined argument, notepack 3', json:'["u",null,1]', frame: hex(np3.encode({type:2, data:['u', undefined, 1], nsp:'/'}))},
  {name:'NaN and infinities', json:'["u",null,null,null]', frame: hex(np3.encode({type:2, data:['u', NaN, Infinity, -Infinity], nsp:'/'}))},
  {name:'client options', json:'["u"]', frame: hex(np3.encode({type:2, data:['u'], options:{compress:true}, id:undefined, nsp:'/'}))},
  {name:'ArrayBuffer', json:'["u",{"_placeholder":true,"num":0}]', frame: hex(np2.encode({type:2, data:['u', new Uint8Array([1,2,3]).buffer], nsp:'/'})), attachments:['010203']},
];

// what the decoders say to input by hand; b: binary messages that follow
const deep = n => '2' + '['.repeat(n).replace('[', '["a",') + ']'.repeat(n);
const ph = (o, n = 1) => [`5${n}-["a",${o}]`, ...Array(n).fill('00')];
const inputs = [
 '', '7', '9', 'a', '-1', '\u0000',
 '0', '0/', '0/,', '0/custom', '0/custom,', '0/custom,{"a":1}', '0{}', '0{"token":"x"}', '0[]', '0"x"', '0null', '0true', '01', '0{', '0{}x', '0 {}', '0{} ', '0/custom?token=a', '0/custom?token=a,', '0/custom?token=a,{"b":1}',
 '1', '1/custom,', '1/custom', '1{}', '1[]', '1"x"', '1null', '17',
 '2', '2["a"]', '2["a",1]', '2[]', '2[null]', '2[true]', '2[{}]', '2[["a"]]', '2{}', '2"a"', '2null', '2["a"', '2["a",', '2["a",]', '2["a"]x', '2["a"]]', '2["a"] ', '2["a"]\n', '2 ["a"]', '2\t["a"]', '2["a" , 1 ]', '2[ "a"]', '2[1]', '2[-1.5e3,"a"]', '2[01]', '2[1.]', '2[.5]', '2[+1]', '2[1e]', '2[0x1]', '2[NaN]', '2["\u0001"]', '2["a\nb"]', '2["\\u0061"]', '2["\\x"]', '2["\\u12"]', '2["\\ud800"]', "2['a']", '2["a",undefined]', '2["a",tru]', '2["a",nulll]', '2["a"]\u0000', '2["a",{"a":1,}]', '2["a",{a:1}]', '2["a",{"a" 1}]', '2["a",{"a":}]', '2["a",{1:1}]', '2["a",{}]', '2["a",[]]', '2["a",[,]]', '2["a",{,}]',
 '2["connect"]', '2["connect_error"]', '2["disconnect"]', '2["disconnecting"]', '2["newListener"]', '2["removeListener"]', '2["\\u0063onnect"]', '2["error"]', '2["__proto__"]', '2[""]', '2["Connect"]', '2["constructor"]',
 '20["a"]', '27["a"]', '2007["a"]', '2-1["a"]', '29007199254740991["a"]', '29007199254740992["a"]', '299999999999999999999999["a"]', '21.5["a"]', '2/a,7["a"]', '2/a7["a"]', '2/a["a"]', '2/a,', '2,["a"]', '2/a,/b,["a"]', '21e3["a"]', '2 7["a"]',
 deep(31), deep(32), deep(33),
 '3', '31', '31[]', '3[]', '31["a"]', '31{}', '31null', '3-1[]',
 '4', '4{"message":"x"}', '4"x"', '4[]', '4null', '4/a,{"message":"x"}', '41',
 '5["a"]', '5-["a"]', '50-["a"]', '5-1-["a"]', '51["a"]', '51', '51-', ['51-', '00'], ['51-["a"]', '00'], '51-["a"]', ['51-["a"]', '00', '00'], ['511-["a"]'], '5999999999999999999999-["a"]', ['510-["a"]', ...Array(10).fill('00')], ['501-["a"]', '00'], ['51.0-["a"]', '00'], '51.5-["a"]', ['51e0-["a"]', '00'], ['50x1-["a"]', '00'], ['5+1-["a"]', '00'], ['5 1-["a"]', '00'], ['51-/a,["a"]', '00'], ['51-/a,7["a"]', '00'], ['51-7["a"]', '00'], ['61-7["a"]', '00'], ['61-["a"]', '00'], ['61-7{}', '00'], ['61-7', '00'], ['60-7[]'], ['51-["connect"]', '00'], ['51-[]', '00'],
 ph('{"_placeholder":true,"num":0}'), ph('{"_placeholder":true,"num":1}'), ph('{"_placeholder":true,"num":1}', 2), ph('{"_placeholder":true,"num":-1}'), ph('{"_placeholder":true,"num":-0}'), ph('{"_placeholder":true,"num":0.5}'), ph('{"_placeholder":true,"num":1e0}', 2), ph('{"_placeholder":true,"num":1.0}', 2), ph('{"_placeholder":true,"num":"0"}'), ph('{"_placeholder":true,"num":null}'), ph('{"_placeholder":true}'), ph('{"_placeholder":1,"num":9}'), ph('{"_placeholder":false,"num":9}'), ph('{"num":0,"_placeholder":true}'), ph('{"num":0,"_placeholder":true,"x":1}'), ph('{"_placeholder":true,"num":9,"num":0}'), ph('{"_placeholder":true,"num":0,"num":9}'), ph('{"_placeholder":true,"_placeholder":false,"num":9}'), ph('{"\\u005fplaceholder":true,"num":9}'), ph('{"_placeholder":true,"\\u006eum":0}'), ph('{"_placeholder" : true , "num" : 0 }'), ph('{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}'), ph('[{"x":{"_placeholder":true,"num":7}}]'), ph('{"_placeholder":true,"num":99999999999999999999}'),
 ['51-[{"_placeholder":true,"num":0}]', '00'], '2["a",{"_placeholder":true,"num":0}]', '2["a",{"_placeholder":true}]', ['61-7[{"_placeholder":true,"num":1}]', '00'], ['61-7[{"_placeholder":true,"num":0}]', '00'],
 '20["' + 'x'.repeat(64) + '"]',
];
const verdict = (Decoder, text, bins) => {
  const d = new Decoder(); let done = false; d.on('decoded', p => { done = !(Decoder === p3.Decoder && typeof p.data === 'string' && p.data.startsWith('parser error')); });
  try { d.add(text); for (const b of bins) d.add(B(b)); } catch (e) { return 'refused'; }
  return done ? 'packet' : d.reconstructor ? 'waiting' : 'refused';
};
const verdicts = inputs.map(x => { const [text, ...bins] = [].concat(x); const r = {text}; if (bins.length) r.binary = bins.length; r.parser4 = verdict(p4.Decoder, text, bins); const v3 = verdict(p3.Decoder, text, bins); if (v3 !== r.parser4) r.parser3 = v3; return r; });
require('fs').writeFileSync(process.argv[3], '[\n' + verdicts.map(x => ' ' + JSON.stringify(x)).join(',\n') + '\n]\n');
require('fs').writeFileSync(process.argv[2], JSON.stringify(out, null, 1) + '\n');
