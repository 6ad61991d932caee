// flame.js - the script of a stand-alone flame graph (flamegraph.c): zoom by
// click, search, and the keyboard.  Without it the picture is still readable.
(() => {
'use strict';
const svg = document.documentElement, details = document.getElementById('details');
const search = document.getElementById('search'), reset = document.getElementById('reset');
const resting = details.textContent, CHARACTER = 7.23, ROW = 18, EDGE = 0.02;

// Callers stand before their callees, so the last one a row above is the parent.
const rows = [];
const frames = [...document.getElementsByClassName('f')].map((g, i) => {
	const rect = g.querySelector('rect'), number = name => Number(rect.getAttribute(name));
	const f = {g, rect, text: g.querySelector('text'), title: g.querySelector('title').textContent,
		x: number('x'), y: number('y'), width: number('width'), children: []};
	f.name = f.title.split('\n')[0];
	f.parent = rows[f.y - ROW] || null;
	if (f.parent)
		f.parent.children.push(f);
	rows[f.y] = f;
	g.addEventListener('click', () => zoom(f));
	g.addEventListener('mouseover', () => say(f));
	g.addEventListener('mouseout', () => say(here));
	return f;
});
const root = frames[0];
let here = null, found = '';

function say(f) {
	details.textContent = f ? f.title.replace(/\n/g, '  ') : found || resting;
}

function place(f, x, width) {
	f.rect.setAttribute('x', x);
	f.rect.setAttribute('width', width);
	f.text.setAttribute('x', x + 3);
	const room = Math.floor((width - 6) / CHARACTER), letters = [...f.name];
	f.text.textContent = letters.length <= room ? f.name : room < 3 ? '' : letters.slice(0, room - 2).join('') + '..';
}

function zoom(to) {
	const scale = root.width / to.width, end = to.x + to.width;
	for (const f of frames) {
		const inside = f.x >= to.x - EDGE && f.x + f.width <= end + EDGE && f.y >= to.y;
		const above = f.y < to.y && f.x <= to.x + EDGE && f.x + f.width >= end - EDGE;
		f.g.style.display = inside || above ? '' : 'none';
		f.g.classList.toggle('faded', above);
		if (inside)
			place(f, root.x + (f.x - to.x) * scale, f.width * scale);
		else if (above)
			place(f, root.x, root.width);
	}
	reset.disabled = to === root;
}

function move(to) {
	if (!to)
		return;
	if (here)
		here.g.classList.remove('here');
	here = to;
	here.g.classList.add('here');
	say(here);
}

function look() {
	const term = search.value.trim().toLowerCase();
	let hits = 0, width = 0;
	for (const f of frames) {
		f.hit = term !== '' && f.title.toLowerCase().includes(term);
		f.within = f.parent !== null && (f.parent.hit || f.parent.within);
		f.g.classList.toggle('hit', f.hit);
		if (f.hit) {
			hits++;
			width += f.within ? 0 : f.width;
		}
	}
	found = term && `${hits} ${hits === 1 ? 'frame' : 'frames'} found: ${(100 * width / root.width).toFixed(1)} %`;
	say(null);
}

if (!root)
	return;
document.getElementById('tools').removeAttribute('visibility');
reset.disabled = true;
reset.addEventListener('click', () => zoom(root));
search.addEventListener('input', look);
svg.addEventListener('keydown', event => {
	if (event.target === search) {
		if (event.key === 'Escape') {
			search.value = '';
			look();
			svg.focus();
		}
		return;
	}
	const among = here && here.parent ? here.parent.children : [root], at = among.indexOf(here);
	const to = here ? {ArrowDown: here.children[0], ArrowUp: here.parent, ArrowLeft: among[at - 1], ArrowRight: among[at + 1], Home: root} : {};
	if (event.key.startsWith('Arrow') || event.key === 'Home')
		move(here ? to[event.key] : root);
	else if (event.key === 'Enter' && here)
		zoom(here);
	else if (event.key === 'Escape')
		zoom(root);
	else if (event.key === '/')
		search.focus();
	else
		return;
	event.preventDefault();
});
})();
