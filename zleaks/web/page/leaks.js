// leaks.js - the list of leaks: which kinds, in which order, what matches.

const kinds = ['definite', 'possible', 'unscanned', 'indirect', 'reachable'];
const kindWords = {
	definite: 'nothing points to them any more',
	possible: 'only pointers into their interior',
	unscanned: 'alive when the program was killed, before a scan',
	indirect: 'lost together with definite ones',
	reachable: 'still in use at the end',
};
const leakBytes = g => g.bytes + (g.indirect_bytes || 0);
const leakBlocks = g => g.blocks + (g.indirect_blocks || 0);
const LEAKS_AT_ONCE = 50;

function list(numbers) {
	const known = numbers.filter(n => n !== null);
	return known.map(count).join(', ') + (known.length < numbers.length ? ', ..' : '');
}

function leakFacts(g) {
	const facts = [];
	if (g.indirect_blocks)
		facts.push(`${bytes(g.bytes)} direct in ${count(g.blocks)}, ${bytes(g.indirect_bytes)} indirect in ${count(g.indirect_blocks)}`);
	if (g.type !== null)
		facts.push(`type ${text(g.type)}`);
	if (g.size_classes.length)
		facts.push(`size class${g.size_classes.length > 1 ? 'es' : ''} ${list(g.size_classes)}`);
	if (g.threads.length)
		facts.push(`thread${g.threads.length > 1 ? 's' : ''} ${list(g.threads)}`);
	if (g.first !== null)
		facts.push(`allocated ${seconds(g.first)}${g.last > g.first ? ' to ' + seconds(g.last) : ''}`);
	if (many)
		facts.push(processName(g.process));
	facts.push(`fingerprint ${data.stacks[g.stack][1]}`);
	return facts.join('; ');
}

function leakItem(g, term) {
	const head = stackHead(g.stack);
	const item = el('details', {class: `leak k-${g.kind}`},
		el('summary', {},
			el('span', {}, el('span', {class: 'badge'}, g.kind)),
			el('span', {class: 'amount'}, exact(leakBytes(g), bytes),
				el('small', {}, plural(leakBlocks(g), 'block'))),
			el('span', {class: 'where'},
				...(head === undefined ? ['no frames'] : marked(frameName(head), term)),
				el('small', {}, ...(head === undefined ? [] : [...marked(framePlace(head), term), ' ', ...marked(stackCallers(g.stack), term)])))));
	// the frames are made when they are first looked at
	item.fill = () => {
		if (!item.querySelector('.body'))
			item.append(el('div', {class: 'body'}, el('p', {class: 'note'}, leakFacts(g)),
				g.loss ? el('p', {class: 'loss'}, g.loss.trim()) : null, stackList(g.stack, term)));
	};
	item.addEventListener('toggle', () => item.open && item.fill());
	return item;
}

function showLeaks() {
	const wanted = new Set(kinds.filter(k => byId('kind-' + k).checked));
	const term = byId('leak-search').value.trim().toLowerCase();
	const key = byId('leak-sort').value;
	const order = {
		bytes: (a, b) => leakBytes(b) - leakBytes(a),
		blocks: (a, b) => leakBlocks(b) - leakBlocks(a),
		age: (a, b) => (a.first === null) - (b.first === null) || a.first - b.first,
	}[key];
	const found = data.leaks.filter(g => wanted.has(g.kind) && (!term || stackText(g.stack).includes(term)))
		.sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || order(a, b) || leakBytes(b) - leakBytes(a));
	const box = byId('leak-list');
	let shown = 0;
	const more = el('button', {type: 'button', class: 'more'});
	const add = () => {
		more.remove();
		for (const end = Math.min(shown + LEAKS_AT_ONCE, found.length); shown < end; shown++)
			box.append(leakItem(found[shown], term));
		if (shown < found.length) {
			more.textContent = `Show ${count(Math.min(LEAKS_AT_ONCE, found.length - shown))} more of ${count(found.length - shown)}`;
			box.append(more);
		}
	};
	more.addEventListener('click', add);
	box.replaceChildren();
	add();
	// indirect blocks are counted with the definite ones they hang on
	const sums = found.filter(g => g.kind !== 'indirect' || !wanted.has('definite'));
	byId('leak-count').textContent = found.length
		? `${plural(found.length, 'stack')}: ${bytes(sums.reduce((n, g) => n + leakBytes(g), 0))} in ${plural(sums.reduce((n, g) => n + leakBlocks(g), 0), 'block')}`
		: term ? `Nothing matches “${term}”.` : 'Nothing of these kinds.';
}

function leaks() {
	const box = byId('kinds');
	for (const k of kinds) {
		const n = data.summary[k].blocks;
		const input = el('input', {type: 'checkbox', id: 'kind-' + k, onchange: showLeaks});
		input.checked = k !== 'indirect' && k !== 'reachable';
		box.append(el('label', {class: `chip k-${k}`, title: kindWords[k]}, input, `${k} ${count(n)}`));
	}
	const sure = kinds.slice(0, 3).some(k => data.summary[k].blocks);
	if (!sure && data.summary.reachable.blocks)
		byId('kind-reachable').checked = true;
	byId('leak-sort').addEventListener('change', showLeaks);
	byId('leak-search').addEventListener('input', rested(showLeaks));
	const notes = [];
	const rest = data.leaks_left_out;
	if (rest.groups)
		notes.push(`${plural(rest.groups, 'smaller group')} with ${bytes(rest.bytes)} in ${plural(rest.blocks, 'block')} are not in this page: “zleaks html --top=0” takes all.`);
	if (data.summary.suppressed.blocks)
		notes.push(`Suppressed: ${bytes(data.summary.suppressed.bytes)} in ${plural(data.summary.suppressed.blocks, 'block')}.`);
	byId('leak-note').textContent = notes.join(' ');
	showLeaks();
}
