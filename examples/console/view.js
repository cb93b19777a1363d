// Elements, and lists that are kept up to date without taking the focus away.

export const $ = id => document.getElementById(id);

export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return made;
}

// One child of LIST for each of ITEMS, in their order; a child is made anew only when its signature differs.
export function keep(list, items, { key, signature, make }) {
  const old = new Map([...list.children].map(child => [child.dataset.key, child]));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const row = focused && focused.closest('[data-key]'), action = focused && focused.dataset.action;
  const children = items.map(item => {
    const before = old.get(key(item)), now = signature(item);
    if (before && before.dataset.signature === now) return before;
    const child = make(item);
    child.dataset.key = key(item);
    child.dataset.signature = now;
    return child;
  });
  // What stays is not taken out, even for a moment: it would lose the focus, and flash anew.
  const stay = new Set(children);
  for (const child of [...list.children]) if (!stay.has(child)) child.remove();
  children.forEach((child, i) => { if (list.children[i] !== child) list.insertBefore(child, list.children[i] || null); });
  if (focused && document.activeElement !== focused) refocus(list, focused, row.dataset.key, action);
}

function refocus(list, focused, key, action) {
  if (list.contains(focused)) return focused.focus();   // moved
  const row = [...list.children].find(child => child.dataset.key === key);
  const again = row && row.querySelector(action ? `[data-action="${action}"]` : 'button, input') || row;
  if (again) {
    if (again === row) row.tabIndex = -1;
    again.focus();
  }
}

// Ids are UUIDs of version 7: they begin alike.
export const short = id => '…' + String(id).slice(-6);
export const money = value => Number(value).toFixed(2);
export const clock = (time, fraction) => {
  const at = new Date(time);
  return Number.isNaN(+at) ? '–' : at.toLocaleTimeString('en-GB') + (fraction ? '.' + String(at.getMilliseconds()).padStart(3, '0') : '');
};

// The errors of a problem beside the fields of FORM; those of no field of it are returned.
export function showErrors(form, errors) {
  for (const place of form.querySelectorAll('[data-for]')) {
    const mine = errors.filter(error => error.field === place.dataset.for), input = form.elements[place.dataset.for];
    place.textContent = mine.map(error => error.message).join('; ');
    if (mine.length) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }
  return errors.filter(error => !form.querySelector(`[data-for="${error.field}"]`));
}

export function message(kind, words, ...buttons) {   // removed by its own button, or by who keeps it
  const shown = el('div', { class: `message ${kind}`, role: kind === 'bad' && 'alert' }, el('span', {}, words));
  const close = () => { shown.remove(); $('messages').focus(); };   // the focus was on it
  const dismiss = el('button', { type: 'button', class: 'link', onclick: close }, 'Dismiss');
  shown.append(...buttons.map(([text, act]) => el('button', { type: 'button', onclick: () => { close(); act(); } }, text)), dismiss);
  $('messages').prepend(shown);
  while ($('messages').children.length > 3) $('messages').lastChild.remove();
  return shown;
}
