// tables.js - tables that can be sorted and searched, a page of rows at a
// time, and those of them that stand at the end of the page.

// t: rows, columns [{title, of, show, number, text, wide, hint}], key: the column to
// sort by, expand: a row's details, page: rows at once, find: text of a row.
function showTable(box, t) {
	const sort = t.sort || (t.sort = {column: t.columns[t.key], down: true});
	const sign = sort.down ? -1 : 1, of = sort.column.of;
	const rows = t.rows.map((row, i) => [row, i, of(row)]).sort((a, b) => {
		const x = a[2], y = b[2];
		if (x === null || y === null)
			return (x === null) - (y === null) || a[1] - b[1];
		return (x < y ? -sign : x > y ? sign : 0) || a[1] - b[1];
	});
	const head = el('tr', {}, ...t.columns.map(c => c.of
		? el('th', {scope: 'col', class: c.number ? 'num' : null, 'aria-sort': c === sort.column ? (sort.down ? 'descending' : 'ascending') : null, title: c.hint},
			el('button', {type: 'button', onclick: () => {
				t.sort = {column: c, down: c === sort.column ? !sort.down : !c.text};
				showTable(box, t);
				box.querySelector('th[aria-sort] button').focus();
			}}, c.title))
		: el('th', {scope: 'col'}, c.title)));
	const body = el('tbody', {});
	const more = el('button', {type: 'button', class: 'more'});
	let shown = 0;
	const add = () => {
		const end = Math.min(shown + (t.page || 50), rows.length);
		for (; shown < end; shown++)
			body.append(tableRow(t, rows[shown][0], shown));
		more.hidden = shown >= rows.length;
		more.textContent = `Show ${count(Math.min(t.page || 50, rows.length - shown))} more of ${count(rows.length - shown)}`;
	};
	more.addEventListener('click', add);
	add();
	if (t.openFirst && body.querySelector('.open'))
		body.querySelector('.open').click();
	box.replaceChildren(...(t.rows.length ? [el('div', {class: 'scroll'}, el('table', {class: 'data'}, el('thead', {}, head), body)), more] : []));
}

function tableRow(t, row) {
	const tr = el('tr', {class: t.rowClass ? t.rowClass(row) : null});
	t.columns.forEach(c => {
		const shown = c.show ? c.show(row) : c.of(row);
		const cell = el('td', {class: c.number ? 'num' : c.wide ? 'name' : null});
		if (t.expand && c === (t.opener || t.columns[0])) {
			const open = el('button', {type: 'button', class: 'open', 'aria-expanded': 'false', onclick: () => {
				if (tr.nextSibling && tr.nextSibling.className === 'more-row')
					tr.nextSibling.remove();
				else
					tr.after(el('tr', {class: 'more-row'}, el('td', {colspan: t.columns.length}, t.expand(row))));
				open.setAttribute('aria-expanded', String(!!tr.nextSibling && tr.nextSibling.className === 'more-row'));
			}}, shown);
			cell.append(open);
		} else {
			cell.append(...(Array.isArray(shown) ? shown : [shown]));
		}
		tr.append(cell);
	});
	return tr;
}

// ---- the tables

const costColumns = (at, only) => data.costs.map(([name, title, isBytes], i) => ({
	title: name, hint: title, number: true, of: row => at(row)[i], show: row => exact(at(row)[i], isBytes ? bytes : count),
})).filter((c, i) => !only || only.includes(i));

const named = (name, small) => [name, small ? el('small', {}, small) : ''];

function functionsTable() {
	const left = data.functions_left_out;
	return {
		rows: data.functions, key: 2,
		find: row => `${text(row[0])} ${text(row[1]) || ''}`,
		columns: [
			{title: 'Function', text: true, wide: true, of: row => text(row[0]), show: row => named(text(row[0]), text(row[1]))},
			...data.costs.flatMap(([name, title, isBytes], i) => i > 2 ? [] : [
				{title: `${name}, self`, hint: `${title}, allocated by the function itself`, number: true, of: row => row[2][i], show: row => exact(row[2][i], isBytes ? bytes : count)},
				{title: name, hint: `${title}, with all that it calls`, number: true, of: row => row[3][i], show: row => exact(row[3][i], isBytes ? bytes : count)},
			]),
			{title: 'count', hint: 'allocations, with all that it calls', number: true, of: row => row[3][3], show: row => exact(row[3][3], count)},
			{title: 'leaked', hint: 'leaked bytes, with all that it calls', number: true, of: row => row[3][5], show: row => exact(row[3][5], bytes)},
		],
		note: left ? `${plural(left, 'function')} of little weight are not in this page.` : '',
	};
}

function stacksTable() {
	const left = data.stacks_left_out;
	const columns = [
		{title: 'Allocated in', text: true, wide: true, of: row => stackHead(row[0]) === undefined ? '' : frameName(stackHead(row[0])),
			show: row => stackHead(row[0]) === undefined ? 'no frames' : el('span', {}, ...named(frameName(stackHead(row[0])), `${framePlace(stackHead(row[0]))} ${stackCallers(row[0])}`))},
		...costColumns(row => row.slice(2)),
	];
	if (many)
		columns.splice(1, 0, {title: 'Process', text: true, of: row => processName(row[1])});
	return {
		rows: data.stack_rows, key: many ? 2 : 1, columns, opener: columns[0],
		find: row => stackText(row[0]),
		expand: row => stackList(row[0], byId('table-search').value.trim().toLowerCase()),
		note: left.stacks ? `${plural(left.stacks, 'stack')} of little weight are not in this page; together: `
			+ data.costs.map(([name, , isBytes], i) => `${name} ${(isBytes ? bytes : count)(left.costs[i])}`).join(', ') + '. “zleaks html --top=0” takes all.' : '',
	};
}

function rootsTable() {
	const left = data.roots_left_out;
	const columns = [
		{title: 'Kept alive by', text: true, wide: true, of: row => text(row[1]) || '?'},
		{title: 'Retains', hint: 'what would be lost with it', number: true, of: row => row[2], show: row => exact(row[2], bytes)},
		{title: 'Blocks', number: true, of: row => row[3], show: row => exact(row[3], count)},
		{title: 'Direct', hint: 'blocks that it points to itself', number: true, of: row => row[4], show: row => exact(row[4], count)},
	];
	if (many)
		columns.splice(1, 0, {title: 'Process', text: true, of: row => processName(row[0])});
	return {
		rows: data.roots, key: many ? 2 : 1, columns, find: row => text(row[1]) || '',
		note: 'What several of them hold together belongs to none of them; “zleaks why” names the holders of a block.'
			+ (left.roots ? ` ${plural(left.roots, 'root')} with ${bytes(left.bytes)} are not in this page.` : ''),
	};
}

function threadsTable() {
	const columns = [
		{title: 'Thread', text: true, of: row => text(row[3]) || `number ${row[1]}`, show: row => text(row[3]) || `number ${row[1]}`},
		{title: 'Number', number: true, of: row => row[1]},
		{title: 'TID', number: true, of: row => row[2], show: row => row[2] === null ? '?' : String(row[2])},
		{title: 'Allocations', number: true, of: row => row[4], show: row => exact(row[4], count)},
		{title: 'Frees', number: true, of: row => row[5], show: row => exact(row[5], count)},
		{title: 'Bytes', number: true, of: row => row[6], show: row => exact(row[6], bytes)},
	];
	if (many)
		columns.splice(1, 0, {title: 'Process', text: true, of: row => processName(row[0])});
	return {
		rows: data.threads, key: columns.length - 1, columns, find: row => text(row[3]) || '',
		note: data.threads_left_out ? `${plural(data.threads_left_out, 'thread')} that allocated less are not in this page.` : '',
	};
}

function processesTable() {
	return {
		rows: data.processes, key: 6, find: p => p.line,
		columns: [
			{title: 'Command', text: true, wide: true, of: p => p.name, show: p => named(p.name, p.line)},
			{title: 'PID', number: true, of: p => p.pid, show: p => String(p.pid)},
			{title: 'Ran', number: true, of: p => p.duration_s, show: p => seconds(p.duration_s)},
			{title: 'Ended', text: true, of: p => p.end},
			{title: 'Recording', text: true, of: p => p.recording},
			{title: 'Allocations', number: true, of: p => p.allocations, show: p => exact(p.allocations, count)},
			{title: 'Peak', number: true, of: p => p.peak_bytes, show: p => exact(p.peak_bytes, bytes)},
			{title: 'Live at the end', number: true, of: p => p.live_bytes, show: p => exact(p.live_bytes, bytes)},
		],
		note: '',
	};
}

function tables() {
	const tabs = [['Functions', functionsTable], ['Stacks', stacksTable], ...(data.roots.length ? [['Holders', rootsTable]] : []), ['Threads', threadsTable], ['Processes', processesTable]];
	let now = null;
	const show = () => {
		const term = byId('table-search').value.trim().toLowerCase();
		const rows = term ? now.all.filter(row => now.find(row).toLowerCase().includes(term)) : now.all;
		now.rows = rows;
		showTable(byId('table'), now);
		byId('table-note').textContent = (term ? `${plural(rows.length, 'row')} of ${count(now.all.length)} match. ` : '') + now.note;
	};
	const choose = button => {
		for (const b of byId('tabs').children) {
			b.setAttribute('aria-selected', String(b === button));
			b.tabIndex = b === button ? 0 : -1;
		}
		now = tabs[[...byId('tabs').children].indexOf(button)][1]();
		now.all = now.rows;
		show();
	};
	for (const [title] of tabs)
		byId('tabs').append(el('button', {type: 'button', role: 'tab', onclick: event => choose(event.target)}, title));
	byId('tabs').addEventListener('keydown', event => {
		const step = {ArrowLeft: -1, ArrowRight: 1}[event.key], all = [...byId('tabs').children];
		if (!step)
			return;
		const to = all[(all.indexOf(event.target) + step + all.length) % all.length];
		to.focus();
		choose(to);
	});
	byId('table-search').addEventListener('input', rested(show));
	choose(byId('tabs').firstChild);
}
