// charts.js - curves over time, drawn by uPlot: the memory of a process with
// its marks.

const CHART_HEIGHT = 260;
const charts = new Map(); // container -> chart

const axis = (values, size) => ({
	stroke: () => css('--dim'),
	grid: {stroke: () => css('--line'), width: 1},
	ticks: {stroke: () => css('--line'), width: 1},
	font: '12px system-ui, sans-serif',
	values, size,
});

// Ticks of bytes at round binary numbers.
function byteTicks(u, index, min, max) {
	const least = (max - min) / 6;
	let step = 1;
	while (step < least)
		step *= 2;
	const ticks = [];
	for (let v = Math.ceil(min / step) * step; v <= max; v += step)
		ticks.push(v);
	return ticks;
}

const tickBytes = n => {
	let unit = 0;
	for (; Math.abs(n) >= 1024 && unit < 6; unit++)
		n /= 1024;
	return `${+n.toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'][unit]}`;
};

// Distances of ticks in seconds, and all ticks of a chart in one unit.
const TIME_STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30,
	60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];

function tickTimes(u, ticks) {
	const last = ticks[ticks.length - 1];
	const [size, unit] = last < 180 ? [1, 's'] : last < 10800 ? [60, 'min'] : [3600, 'h'];
	return ticks.map(t => `${+(t / size).toFixed(3)} ${unit}`);
}

// Vertical lines with words: marks and the peak.
function lines(moments) {
	return u => {
		const c = u.ctx, ratio = devicePixelRatio;
		c.save();
		c.textAlign = 'left';
		c.textBaseline = 'alphabetic';
		c.font = `${11 * ratio}px system-ui, sans-serif`;
		let free = -Infinity;
		for (const [t, label] of moments) {
			const x = u.valToPos(t, 'x', true);
			if (x < u.bbox.left || x > u.bbox.left + u.bbox.width)
				continue;
			c.strokeStyle = c.fillStyle = css('--mark');
			c.setLineDash([4 * ratio, 4 * ratio]);
			c.lineWidth = ratio;
			c.beginPath();
			c.moveTo(x, u.bbox.top);
			c.lineTo(x, u.bbox.top + u.bbox.height);
			c.stroke();
			const words = label.length > 24 ? label.slice(0, 23) + '…' : label;
			const width = c.measureText(words).width;
			const left = x + width + 6 * ratio > u.bbox.left + u.bbox.width ? x - width - 4 * ratio : x + 4 * ratio;
			if (left < free)
				continue; // no room for its words
			c.fillText(words, left, u.bbox.top + 11 * ratio);
			free = left + width + 4 * ratio;
		}
		c.restore();
	};
}

// Arrow keys move the cursor, Escape shows all again.
function chartKeys(box, u) {
	box.onkeydown = event => {
		const step = {ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20}[event.key];
		if (step) {
			const last = u.data[0].length - 1;
			const at = u.cursor.idx === null || u.cursor.idx === undefined ? (step > 0 ? -1 : last + 1) : u.cursor.idx;
			const to = Math.max(0, Math.min(last, at + step));
			u.setCursor({left: u.valToPos(u.data[0][to], 'x'), top: u.bbox.height / devicePixelRatio / 2});
			event.preventDefault();
		} else if (event.key === 'Escape') {
			u.setData(u.data);
		}
	};
}

const chartWidth = box => Math.max(200, box.clientWidth);

function drawChart(box, series, columns, moments) {
	const old = charts.get(box);
	if (old)
		old.destroy();
	box.replaceChildren();
	const u = new uPlot({
		width: chartWidth(box), height: CHART_HEIGHT,
		padding: [12, 12, 0, 0],
		scales: {x: {time: false}, y: {range: (v, min, max) => [0, max > 0 ? max * 1.08 : 1]}},
		axes: [{...axis(tickTimes, 34), incrs: TIME_STEPS, space: 70},
			{...axis((v, ticks) => ticks.map(tickBytes), 74), splits: byteTicks}],
		series: [{label: 'time', value: (v, t) => t === null || t === undefined ? '–' : seconds(t)},
			...series.map(s => ({points: {size: 5, fill: () => css('--card')}, ...s}))],
		cursor: {drag: {x: true, y: false}, points: {size: 7}},
		hooks: {draw: [lines(moments)]},
	}, columns, box);
	charts.set(box, u);
	chartKeys(box, u);
}

const valueOf = (u, n) => n === null || n === undefined ? '–' : bytes(n);

function drawMemory(process) {
	const box = byId('memory-chart');
	const line = data.timelines.find(l => l.process === process);
	const p = data.processes[process];
	const marks = data.marks.filter(m => m[0] === process).map(m => [m[1], text(m[2])]);
	if (!line || line.t.length < 2) {
		const old = charts.get(box);
		if (old)
			old.destroy();
		charts.delete(box);
		box.replaceChildren();
		byId('memory-note').textContent = line ? 'The program ended before a second sample was taken: there is no curve.'
			: 'The page has no curve of this process.';
		return;
	}
	const known = list => list.some(n => n !== null);
	const series = [{label: 'live', stroke: () => css('--live'), fill: () => css('--live') + '1f', width: 1.8, value: valueOf}];
	const columns = [line.t, line.live];
	for (const [label, list, colour] of [['resident', line.rss, '--rss'], ['mapped', line.mapped, '--mapped']]) {
		if (!known(list))
			continue;
		// mapped address space can dwarf all else: shown when asked for
		series.push({label, stroke: () => css(colour), width: 1.3, show: label !== 'mapped', value: valueOf});
		columns.push(list);
	}
	const moments = p.peak_t !== null && p.peak_t > 0 ? [...marks, [p.peak_t, `peak ${bytes(p.peak_bytes)}`]] : marks;
	drawChart(box, series, columns, moments.sort((a, b) => a[0] - b[0]));
	box.setAttribute('aria-label', `Memory of ${processName(process)} over ${seconds(line.t[line.t.length - 1])}: peak ${bytes(p.peak_bytes)}, at the end ${bytes(p.live_bytes)} live.`);
	const notes = [];
	if (line.samples > line.t.length)
		notes.push(`Drawn from ${count(line.t.length)} of ${count(line.samples)} samples: the highest and lowest of each stretch.`);
	for (const [, n] of data.marks_left_out.filter(m => m[0] === process))
		notes.push(`${count(n)} marks are too many to be drawn.`);
	if (marks.length)
		notes.push('Marks: ' + marks.map(m => `${m[1]} at ${seconds(m[0])}`).join(', ') + '.');
	notes.push('Drag to zoom, double-click to see all; a click on a name below the chart hides its curve.');
	byId('memory-note').textContent = notes.join(' ');
}

function resizeCharts() {
	for (const [box, u] of charts)
		u.setSize({width: chartWidth(box), height: CHART_HEIGHT});
}
recolour.push(() => charts.forEach(u => u.redraw(false, true)));
