// flames.js - the flame graph, drawn by d3-flame-graph: callees below their
// callers, the widths by one of the costs.

const FLAME_TOP = 3; // index of the first cost in a node
const FLAME_ROW = 19;
let flame = null, flameRoot = null, flameCost = 0, flameCurrent = null;

// Colours stay the same from page to page: the hue says whose code it is, the
// shade depends on the name alone.
function hash(words) {
	let h = 2166136261;
	for (let i = 0; i < words.length; i++)
		h = Math.imul(h ^ words.charCodeAt(i), 16777619);
	return (h ^ h >>> 15) >>> 0;
}

function moduleHue(module) {
	if (module === null)
		return null;
	if (!module.includes('.so') && !module.startsWith('['))
		return 24; // the program's own
	return 150 + hash(module) % 160;
}

function flameColour(name, module) {
	const hue = moduleHue(module), shade = hash(name) % 12;
	if (hue === null)
		return isDark() ? '#4a5361' : '#cdd3dc';
	return isDark() ? `hsl(${hue + shade % 5 * 3} 42% ${30 + shade}%)` : `hsl(${hue + shade % 5 * 3} 72% ${72 + shade}%)`;
}

// The nodes of one cost as a tree of {name, module, value, children}.
function flameTree(cost) {
	const nodes = data.flame.nodes.map(n => ({
		name: text(n[0]), module: text(n[1]), parent: n[2], value: n[FLAME_TOP + cost], children: [],
	}));
	for (const [parent, many_, ...costs] of data.flame.smaller)
		if (costs[cost])
			nodes[parent].children.push({
				name: plural(many_, 'smaller one'), module: null, rest: true, value: costs[cost], children: [],
			});
	for (let i = 1; i < nodes.length; i++)
		if (nodes[i].value)
			nodes[nodes[i].parent].children.push(nodes[i]);
	for (const node of nodes)
		node.children.sort((a, b) => (a.rest || false) - (b.rest || false) || b.value - a.value);
	return nodes[0];
}

const costWords = (cost, n) => data.costs[cost][2] ? bytes(n) : plural(n, 'allocation');

function flameLabel(d) {
	const module = d.data.module === null ? '' : ` [${d.data.module}]`;
	return `${d.data.name}${module}: ${costWords(flameCost, d.data.value)}, ${share(d.data.value, flameRoot.value)}`;
}

function flameDetails(d) {
	byId('flame-details').textContent = d ? flameLabel(d)
		: `${data.costs[flameCost][1]}: ${costWords(flameCost, flameRoot.value)} from ${plural(data.stack_count, 'stack')}`;
}

const flameFrames = () => d3.select('#flame-chart').selectAll('g.frame');

function flameMove(d) {
	if (!d)
		return;
	flameCurrent = d;
	flameFrames().classed('current', e => e === d);
	flameDetails(d);
}

function flameKeys(event) {
	const root = d3.select('#flame-chart').datum();
	if (!flame || !root)
		return;
	const d = flameCurrent || root;
	const among = d.parent ? d.parent.children : [d], at = among.indexOf(d);
	const to = {
		ArrowDown: d.children && d.children[0], ArrowUp: d.parent,
		ArrowLeft: among[at - 1], ArrowRight: among[at + 1], Home: root,
	}[event.key];
	if (event.key in {ArrowDown: 1, ArrowUp: 1, ArrowLeft: 1, ArrowRight: 1, Home: 1})
		flameMove(flameCurrent ? to : root);
	else if (event.key === 'Enter')
		flame.zoomTo(d);
	else if (event.key === 'Escape')
		flame.resetZoom();
	else
		return;
	flameMove(flameCurrent);
	event.preventDefault();
}

function flameSearch() {
	const term = byId('flame-search').value.trim().toLowerCase();
	if (!flame)
		return;
	if (term) {
		flame.search(term);
	} else {
		flame.clear();
		flameDetails(null);
	}
	fitFlames();
}

function drawFlames() {
	const box = byId('flame-chart');
	box.replaceChildren();
	flameCurrent = null;
	flameRoot = flameTree(flameCost);
	byId('flame-reset').disabled = true;
	if (!flameRoot.value) {
		flame = null;
		byId('flame-details').textContent = `${data.costs[flameCost][1]}: none`;
		return;
	}
	flame = flamegraph.default().width(box.clientWidth || 900).cellHeight(FLAME_ROW).inverted(true)
		.minFrameSize(1.5).transitionDuration(0).resetHeightOnZoom(true)
		.setLabelHandler(flameLabel)
		.setDetailsHandler(words => { if (words === null) flameDetails(flameCurrent); })
		.onHover(flameDetails)
		.onClick(d => {
			byId('flame-reset').disabled = !d.parent;
			flameMove(d);
			fitFlames();
		})
		.setColorMapper(d => d.highlight ? (isDark() ? '#c026d3' : '#f0a3ff') : d.data.rest ? flameColour('', null) : flameColour(d.data.name, d.data.module))
		.setSearchMatch((d, term) => d.data.name.toLowerCase().includes(term) || (d.data.module || '').toLowerCase().includes(term))
		.setSearchHandler((found, sum) => {
			byId('flame-details').textContent = `${plural(found.length, 'frame')} found: ${costWords(flameCost, sum)}, ${share(sum, flameRoot.value)}`;
		});
	atOnce(() => d3.select(box).datum(flameRoot).call(flame));
	flameDetails(null);
	flameSearch();
}

// Draws without the movement that follows a click.
function atOnce(draw) {
	const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
	flame.transitionDuration(0);
	draw();
	d3.timerFlush();
	flame.transitionDuration(still ? 0 : 250);
	fitFlames();
}

// The library leaves room for three more rows.
function fitFlames() {
	let deepest = 0;
	flameFrames().each(d => { deepest = Math.max(deepest, d.depth); });
	d3.select('#flame-chart svg').attr('height', (deepest + 1) * FLAME_ROW + 2);
}

function flameLegend() {
	const sums = new Map();
	for (const n of data.flame.nodes.slice(1))
		sums.set(n[1], (sums.get(n[1]) || 0) + 1);
	const most = [...sums].filter(([m]) => m !== null).sort((a, b) => b[1] - a[1]).slice(0, 8);
	byId('flame-legend').replaceChildren(...most.map(([m]) =>
		el('span', {}, el('i', {style: `background:${flameColour('', text(m))}`}), text(m))));
}

function flames() {
	const box = byId('costs');
	data.costs.forEach(([name, title], i) => {
		const input = el('input', {type: 'radio', name: 'cost', value: name, onchange: () => {
			flameCost = i;
			drawFlames();
		}});
		input.checked = i === 0;
		box.append(el('label', {title}, input, name));
	});
	byId('flame-search').addEventListener('input', rested(flameSearch));
	byId('flame-reset').addEventListener('click', () => flame && flame.resetZoom());
	byId('flame-chart').addEventListener('keydown', flameKeys);
	const notes = ['“peak” adds up each stack at its own peak, which need not be at the same moment.'];
	if (data.flame.left_out)
		notes.unshift(`${plural(data.flame.left_out, 'narrow frame')} of ${count(data.flame.left_out + data.flame.nodes.length)} are drawn together as “smaller ones”; the search does not see them.`);
	byId('flame-note').textContent = notes.join(' ');
	flameLegend();
	drawFlames();
	recolour.push(() => {
		flameLegend();
		if (flame)
			atOnce(() => flame.update());
	});
}

function resizeFlames() {
	const width = byId('flame-chart').clientWidth;
	if (flame && width && width !== flame.width())
		atOnce(() => flame.width(width).update());
}
