// main.js - the headline, and the order in which the page draws itself: what
// is seen first, first.

function verdicts() {
	const s = data.summary, list = el('ul', {class: 'verdicts'});
	const say = (how, title, ...words) => list.append(el('li', {class: how}, el('b', {}, title), ...words));
	if (!data.complete)
		say('warn', 'Incomplete recording. ', data.problems.slice(0, 5).map(p => (p.pid === null ? '' : `pid ${p.pid}: `) + p.problem).join('; ')
			+ (data.problems.length > 5 ? `; and ${count(data.problems.length - 5)} more` : ''));
	const sum = k => [exact(s[k].bytes, bytes), ` in ${plural(s[k].blocks, 'block')}`];
	if (s.definite.blocks)
		say('bad', 'Leaks. ', ...sum('definite'), ' are lost for good', ...(s.indirect.blocks ? [', ', ...sum('indirect'), ' more hang on them'] : []), '.');
	else if (s.unscanned.blocks)
		say('warn', 'No verdict. ', ...sum('unscanned'), ' were alive when the program ended before a scan.');
	else if (s.possible.blocks)
		say('warn', 'Possible leaks. ', ...sum('possible'), ' are held only by pointers into their interior.');
	else
		say('good', 'No leaks. ', s.reachable.blocks ? 'What is left is still in use: ' : 'Everything was freed.', ...(s.reachable.blocks ? sum('reachable') : []), s.reachable.blocks ? '.' : '');
	const growing = data.growth.filter(row => row.growing);
	const behind = row => row.top.length && stackHead(row.top[0][0]) !== undefined ? ` by ${frameName(stackHead(row.top[0][0]))}` : '';
	if (data.growing)
		say('warn', `${plural(data.growing, 'size class grows', 'size classes grow')}. `, growing.slice(0, 3).map(row =>
			`${className(row)}: ${rate(row.bytes_per_second)}${behind(row)}${row.confidence ? ` (confidence ${row.confidence})` : ''}, ${bytes(row.last_bytes)} at the end`
			+ (row.process !== data.main_process ? ` in ${processName(row.process)}` : '')).join('; '), data.growing > 3 ? ' and more' : '');
	return list;
}

function tiles() {
	const s = data.summary;
	let box = el('dl', {class: 'tiles'});
	const totals = box;
	const tile = (title, value, small, how) => box.append(el('div', {class: how || null},
		el('dt', {}, title), el('dd', {}, value, small ? el('small', {}, small) : '')));
	const estimated = data.summary.estimated_from_one_in_bytes ? ' (estimates)' : '';
	tile('Allocations' + estimated, exact(s.allocations, count), s.bytes_allocated === null ? '' : `${bytes(s.bytes_allocated)} in all`);
	tile('Frees', exact(s.frees, count), '');
	tile('Peak', exact(s.peak_bytes, bytes), many ? 'of the largest process' : '');
	tile('Live at the end', exact(s.live_bytes, bytes), s.live_blocks === null ? '' : plural(s.live_blocks, 'block'));
	box = el('dl', {class: 'tiles'});
	for (const k of ['definite', 'indirect', 'possible', 'reachable', 'unscanned'])
		if (s[k].blocks || k !== 'unscanned')
			tile(k[0].toUpperCase() + k.slice(1), exact(s[k].bytes, bytes), plural(s[k].blocks, 'block'), 'k-' + k);
	return [totals, box];
}

function headline() {
	const first = data.processes[data.main_process];
	const facts = [];
	if (first) {
		facts.push(`pid ${first.pid}`, `ran ${seconds(first.duration_s)}`, first.end);
		if (first.threads)
			facts.push(plural(first.threads, 'thread'));
		if (first.started !== null)
			facts.push(new Date(first.started * 1000).toLocaleString());
	}
	if (many)
		facts.push(`with ${plural(data.processes.length - 1, 'more process', 'more processes')}`);
	if (data.places)
		facts.push(`frames resolved ${share(data.places_resolved, data.places)}`);
	if (data.summary.estimated_from_one_in_bytes)
		facts.push(`sampled: one allocation in ${bytes(data.summary.estimated_from_one_in_bytes)}, figures are estimates`);
	document.title = `${first ? first.name : data.report} - zleaks`;
	byId('head').append(el('h1', {}, first ? first.name : data.report),
		el('p', {class: 'sub mono'}, first ? first.line : ''),
		el('p', {class: 'sub'}, facts.join(' · ')), verdicts(), ...tiles());
	byId('made').textContent = `Made from ${data.report} by zleaks ${data.version}. Bytes are what the program asked for.`;
}

function chooseProcess() {
	const select = byId('process');
	const timelines = data.timelines.map(l => l.process);
	for (const i of timelines)
		select.append(el('option', {value: i}, `${processName(i)}, peak ${bytes(data.processes[i].peak_bytes)}`));
	byId('process-choice').hidden = timelines.length < 2;
	if (data.processes.length > timelines.length)
		select.append(el('option', {disabled: true}, `${count(data.processes.length - timelines.length)} smaller ones have no curves here`));
	const draw = () => {
		drawMemory(Number(select.value));
		drawGrowth(Number(select.value));
	};
	select.addEventListener('change', draw);
	if (timelines.length)
		draw();
}

// For paper: light colours, and the first leaks with their stacks.
let opened = [];
addEventListener('beforeprint', () => {
	printing = true;
	recolour.forEach(f => f());
	opened = [...document.querySelectorAll('.leak:not([open])')].slice(0, 20);
	opened.forEach(d => {
		d.fill();
		d.open = true;
	});
});
addEventListener('afterprint', () => {
	printing = false;
	opened.forEach(d => { d.open = false; });
	recolour.forEach(f => f());
});

addEventListener('resize', rested(() => {
	resizeCharts();
	resizeFlames();
}));

headline();
chooseProcess();
leaks();
// the rest once this has been painted
setTimeout(() => {
	tables();
	flames();
	document.documentElement.dataset.drawn = 'all';
}, 0);
