// Who this window is: a name and a color, kept for as long as its tab, so that
// two windows are two people.
import { tint } from './element.js';

const manners = ['Quiet', 'Swift', 'Bright', 'Patient', 'Bold', 'Gentle', 'Curious', 'Merry', 'Steady', 'Nimble', 'Wise', 'Early'];
const animals = ['Otter', 'Heron', 'Kingfisher', 'Beaver', 'Newt', 'Pike', 'Trout', 'Dipper', 'Crane', 'Coot', 'Eel', 'Salmon', 'Toad', 'Vole', 'Swan', 'Grebe', 'Egret', 'Loon', 'Perch', 'Plover'];
const hues = [15, 45, 80, 125, 160, 200, 235, 270, 305, 340];
const maxName = 32;

const any = (list) => list[Math.floor(Math.random() * list.length)];
const invented = () => ({ name: `${any(manners)} ${any(animals)}`, hue: any(hues) });

function remembered() {
  try {
    const { name, hue } = JSON.parse(sessionStorage.getItem('person'));
    if (typeof name === 'string' && name.trim() && Number.isInteger(hue)) return { name, hue };
  } catch { /* nothing, or not ours */ }
  return invented();
}

// namePlate wires the form in which the name stands and returns a function that
// tells who this window is now. changed is called when that is another.
export function namePlate(form, changed) {
  const input = form.elements.name;
  let me = remembered();

  function become(next) {
    const same = next.name === me.name && next.hue === me.hue;
    me = next;
    input.value = me.name;
    tint(form, me.hue);
    try {
      sessionStorage.setItem('person', JSON.stringify(me));
    } catch { /* no storage: then it is another one next time */ }
    if (!same) changed(me);
  }

  const rename = () => become({ ...me, name: [...input.value.trim()].slice(0, maxName).join('') || me.name });
  input.addEventListener('change', rename);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    input.blur(); // which is a change, if it is one
  });
  form.querySelector('button').addEventListener('click', () => become(invented()));
  become(me);
  return () => me;
}
