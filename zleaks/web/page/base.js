// base.js - the data, and what all parts of the page use: elements, numbers
// in words, frames and stacks.  Text from the report only ever becomes a text
// node or an attribute.

const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);
const text = n => n === null ? null : data.texts[n];

// el('td', {class: 'num'}, child, 'text', ..)
function el(name, attributes, ...children) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(attributes || {})) {
		if (key.startsWith('on'))
			e.addEventListener(key.slice(2), value);
		else if (value !== null && value !== undefined && value !== false)
			e.setAttribute(key, value === true ? '' : value);
	}
	e.append(...children.filter(c => c !== null && c !== undefined));
	return e;
}

const count = n => n === null ? '?' : n.toLocaleString('en-US');
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many || one + 's'}`;

function bytes(n) {
	if (n === null)
		return '?';
	const size = Math.abs(n);
	const sign = n < 0 ? '−' : '';
	if (size < 10240)
		return `${sign}${count(size)} B`;
	let unit = -1, value = size;
	for (; value >= 1024 && unit < 5; unit++)
		value /= 1024;
	const shown = value.toFixed(value < 100 ? 1 : 0);
	return `${sign}${shown} ${['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'][unit]}`;
}

const signed = (n, words) => n > 0 ? '+' + words(n) : words(n);
const rate = n => n === null ? '?' : Math.abs(n) < 0.5 ? '0' : `${signed(Math.round(n), bytes)}/s`;

function seconds(t) {
	if (t === null)
		return '?';
	if (t < 60)
		return `${t.toFixed(t < 10 ? 3 : 1)} s`;
	if (t < 3600)
		return `${Math.floor(t / 60)} min ${String(Math.floor(t % 60)).padStart(2, '0')} s`;
	return `${Math.floor(t / 3600)} h ${String(Math.floor(t % 3600 / 60)).padStart(2, '0')} min`;
}

function share(part, whole) {
	if (!whole)
		return '0 %';
	const p = 100 * part / whole;
	return `${p >= 99.95 || p === 0 ? p.toFixed(0) : p >= 0.1 ? p.toFixed(1) : '< 0.1'} %`;
}

// A quantity in words; the exact number can be hovered and is kept in data-n.
const exact = (n, words) => el('span', {'data-n': n, title: words === bytes ? `${count(n)} bytes` : null}, words(n));

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia('(prefers-color-scheme: dark)');
// Called when colours change: the theme, and printing, which is light.
const recolour = [];
let printing = false;
const isDark = () => dark.matches && !printing;
dark.addEventListener('change', () => recolour.forEach(f => f()));

// Runs f once the keyboard has rested for a moment.
function rested(f) {
	let timer = 0;
	return () => {
		clearTimeout(timer);
		timer = setTimeout(f, 120);
	};
}

// ---- processes

const many = data.processes.length > 1;
const processName = i => `${data.processes[i].name} (pid ${data.processes[i].pid})`;

// ---- stacks

const basename = path => path.slice(path.lastIndexOf('/') + 1);
const hex = n => '0x' + n.toString(16);

function frameName(f) {
	const [fn, , , module, offset] = data.frames[f];
	if (fn !== null)
		return text(fn);
	if (module === null)
		return '?';
	return basename(text(module)) + (offset === null ? '' : '+' + hex(offset));
}

function framePlace(f) {
	const [fn, file, line, module, offset] = data.frames[f];
	if (file !== null)
		return text(file) + (line === null ? '' : ':' + line);
	if (fn === null || module === null)
		return '';
	return basename(text(module)) + (offset === null ? '' : '+' + hex(offset));
}

const stackFrames = s => data.stacks[s][4];

// Where a reader looks first: the innermost frame of the program's own code.
function stackHead(s) {
	const [, , , own, frames] = data.stacks[s];
	return frames[own < 0 ? 0 : own];
}

// Who called that: a wrapper around malloc says little by itself.
function stackCallers(s) {
	const [, , worth, own, frames] = data.stacks[s];
	const from = Math.max(own, 0) + 1;
	return frames.slice(from, Math.max(from, Math.min(worth, from + 3))).map(f => '← ' + frameName(f)).join(' ');
}

// All that can be searched of a stack, in lower case; made at first use.
const searchable = [];
function stackText(s) {
	if (searchable[s] === undefined)
		searchable[s] = stackFrames(s).map(f => {
			const [fn, file, , module] = data.frames[f];
			return [fn, file, module].map(n => n === null ? '' : text(n)).join(' ');
		}).join('\n').toLowerCase();
	return searchable[s];
}

// Text with what was searched for marked.
function marked(words, term) {
	const at = term ? words.toLowerCase().indexOf(term) : -1;
	if (at < 0)
		return [words];
	return [words.slice(0, at), el('mark', {}, words.slice(at, at + term.length)), words.slice(at + term.length)];
}

function stackList(s, term) {
	const [, , worth, own, frames] = data.stacks[s];
	const list = el('ol', {class: 'stack'});
	for (let i = 0; i < worth; i++)
		list.append(el('li', {class: i === own ? 'own' : null},
			...marked(frameName(frames[i]), term),
			el('span', {class: 'place'}, ...marked(framePlace(frames[i]), term),
				data.frames[frames[i]][5] ? ' (inlined)' : '')));
	if (worth < frames.length)
		list.append(el('li', {class: 'rest'}, `${plural(frames.length - worth, 'frame')} that started the program`));
	if (!frames.length)
		list.append(el('li', {class: 'rest'}, 'no frames were recorded'));
	return list;
}
