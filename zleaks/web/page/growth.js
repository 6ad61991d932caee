// growth.js - the curves of size classes, which of them grow, and who is
// behind those.

const CURVES_DRAWN = 8;
const curveColours = ['#1f77d0', '#d0462b', '#1a9a62', '#8a5bd6', '#c7851a', '#d04a94', '#2aa5b5', '#7c8794'];

const className = row => row.size_class === null ? text(row.zone) || '?' : `${count(row.size_class)} bytes`;

function spark(values) {
	const most = Math.max(...values, 1), n = values.length;
	const path = values.map((v, i) => `${i ? 'L' : 'M'}${(110 * i / Math.max(1, n - 1)).toFixed(1)} ${(22 - 20 * v / most).toFixed(1)}`).join('');
	const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
	const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
	svg.setAttribute('class', 'spark');
	svg.setAttribute('viewBox', '0 0 110 24');
	svg.setAttribute('preserveAspectRatio', 'none');
	svg.setAttribute('aria-hidden', 'true');
	line.setAttribute('d', path);
	svg.append(line);
	return svg;
}

const verdictOf = row => row.growing === null ? 'too short' : row.growing ? 'grows' : 'steady';

function growthStacks(row) {
	if (!row.top.length)
		return el('p', {class: 'note'}, row.growing ? 'By whom is not known.' : 'Stacks are named for classes that grow.');
	return el('div', {}, ...row.top.map(([stack, blocks, size, gained], i) =>
		el('details', {open: i === 0},
			el('summary', {}, gained === null ? '' : `${signed(gained, bytes)} since the warm-up, `,
				`${bytes(size)} in ${plural(blocks, 'block')} at the end: `,
				el('code', {}, stackHead(stack) === undefined ? 'no frames' : frameName(stackHead(stack)))),
			stackList(stack, ''))));
}

// What each mark of a label adds: "+3.00 blocks per request".
function roundsList(process) {
	const rows = data.rounds.filter(r => r.process === process && r.steps > 0);
	const sign = (n, digits) => (n < 0 ? '−' : '+') + Math.abs(n).toFixed(digits);
	return rows.length ? el('ul', {class: 'rounds'}, ...rows.map(r => el('li', {},
		el('b', {}, `${sign(r.blocks, 2)} blocks, ${sign(r.bytes, 1)} bytes per “${text(r.label)}”`),
		` (sd ${+r.blocks_sd.toPrecision(3)} and ${+r.bytes_sd.toPrecision(3)} over ${count(r.steps)} of ${plural(r.marks, 'mark')}), ${verdictOf(r)}`,
		r.confidence ? `, confidence ${r.confidence}` : '',
		...r.top.slice(0, 3).map(([stack, blocks, size]) => el('details', {},
			el('summary', {}, `${sign(blocks, 2)} blocks, ${sign(size, 1)} bytes each: `,
				el('code', {}, stackHead(stack) === undefined ? 'no frames' : frameName(stackHead(stack)))),
			stackList(stack, '')))))) : null;
}

const growthColumns = [
	{title: 'Curve', show: row => spark(row.bytes)},
	{title: 'First', number: true, of: row => row.first_bytes, show: row => exact(row.first_bytes, bytes)},
	{title: 'Last', number: true, of: row => row.last_bytes, show: row => exact(row.last_bytes, bytes)},
	{title: 'Blocks', number: true, of: row => row.last_blocks, show: row => exact(row.last_blocks, count)},
	{title: 'Change', number: true, of: row => row.last_bytes - row.first_bytes,
		show: row => signed(row.last_bytes - row.first_bytes, bytes)},
	{title: 'Rate', number: true, of: row => row.bytes_per_second, show: row => rate(row.bytes_per_second)},
];
const verdictColumn = {title: 'Verdict', of: row => row.growing === true ? 2 : row.growing === false ? 1 : 0,
	show: row => el('span', {}, el('span', {class: 'badge'}, verdictOf(row)),
		row.growing && row.confidence ? el('span', {class: 'sure'}, ` ${row.confidence}`) : '')};

function growthTable(rows) {
	showTable(byId('growth-table'), {
		rows, key: 0, page: 15,
		rowClass: row => row.growing ? 'grows' : null,
		columns: [
			verdictColumn,
			{title: 'Size class', number: true, of: row => row.size_class, show: row => className(row)},
			{title: 'Zone', text: true, of: row => text(row.zone) || '?'},
			...growthColumns,
		],
		expand: growthStacks,
		openFirst: rows.length > 0 && rows[0].growing === true,
	});
}

function growthStacksTable(process) {
	const box = byId('growth-stacks');
	const rows = data.growth_by_stack.filter(row => row.process === process && row.growing);
	const table = el('div', {});
	box.replaceChildren(...(rows.length ? [el('h3', {}, `${plural(rows.length, 'stack that grows', 'stacks that grow')}`), table] : []));
	showTable(table, {
		rows, key: 0, page: 8, rowClass: () => 'grows',
		columns: [verdictColumn, {title: 'Allocated in', text: true, wide: true, of: row => row.stack,
			show: row => stackHead(row.stack) === undefined ? 'no frames' : named(frameName(stackHead(row.stack)), `${framePlace(stackHead(row.stack))} ${stackCallers(row.stack)}`)},
		...growthColumns],
		expand: row => stackList(row.stack, ''),
	});
}

function drawGrowth(process) {
	const rows = data.growth.filter(row => row.process === process);
	const grid = data.grids.find(g => g.process === process);
	const growing = rows.filter(row => row.growing);
	const verdict = byId('growth-verdict');
	verdict.replaceChildren();
	byId('growth-rounds').replaceChildren(...[roundsList(process)].filter(Boolean));
	if (!rows.length)
		verdict.append('No samples of size classes in this process.');
	else if (growing.length)
		verdict.append(el('b', {}, `${plural(growing.length, 'size class grows', 'size classes grow')}: `),
			growing.slice(0, 4).map(row => `${className(row)} (${rate(row.bytes_per_second)})`).join(', '),
			growing.length > 4 ? ' and more.' : '.');
	else if (rows.every(row => row.growing === null))
		verdict.append('Too few samples to say what grows: a longer run, or a shorter zrecord --interval, has more.');
	else
		verdict.append('Nothing grows by the rule in docs/GROWTH.md.');
	if (grid && grid.t.length > 1 && rows.length) {
		const drawn = [...rows].sort((a, b) => (b.growing === true) - (a.growing === true) || Math.max(...b.bytes) - Math.max(...a.bytes)).slice(0, CURVES_DRAWN);
		const zones = new Set(drawn.map(row => row.zone)).size > 1;
		drawChart(byId('growth-chart'), drawn.map((row, i) => ({
			label: className(row) + (zones ? `, ${text(row.zone)}` : '') + (row.growing ? ' ▲' : ''),
			stroke: curveColours[i], width: row.growing ? 2.4 : 1.2, value: valueOf,
		})), [grid.t, ...drawn.map(row => row.bytes)], []);
		byId('growth-chart').setAttribute('aria-label', `Live bytes of ${plural(drawn.length, 'size class', 'size classes')} over time; the table below has the figures.`);
	} else {
		const old = charts.get(byId('growth-chart'));
		if (old)
			old.destroy();
		charts.delete(byId('growth-chart'));
		byId('growth-chart').replaceChildren();
	}
	growthTable(rows);
	growthStacksTable(process);
	const notes = [];
	if (rows.length > CURVES_DRAWN)
		notes.push(`The chart has those that grow and the largest, ${CURVES_DRAWN} in all; the table has all ${count(rows.length)}.`);
	if (grid && grid.samples > grid.t.length)
		notes.push(`Curves are drawn from ${count(grid.t.length)} of ${count(grid.samples)} samples; verdicts and figures come from all.`);
	if (data.growth_left_out)
		notes.push(`${plural(data.growth_left_out, 'curve')} of small classes or processes are not in this page.`);
	byId('growth-note').textContent = notes.join(' ');
}
