// What the page does beyond being read: another theme, sorting, filtering, values of plots. Without it all is still there.
(() => {
  'use strict';
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (name, properties) => Object.assign(document.createElement(name), properties);

  // The theme: rules for a dark system are made to hold always, on a screen, or never.
  const system = matchMedia('(prefers-color-scheme: dark)');
  const dark = [...document.styleSheets]
    .flatMap((sheet) => [...sheet.cssRules])
    .filter((rule) => rule.media && rule.media.mediaText.includes('prefers-color-scheme'));
  const theme = make('button', { type: 'button', className: 'theme', textContent: 'Dark' });
  theme.setAttribute('role', 'switch');
  const tell = (on) => theme.setAttribute('aria-checked', on);
  tell(system.matches);
  const follow = (event) => tell(event.matches);
  system.addEventListener('change', follow);
  theme.addEventListener('click', () => {
    system.removeEventListener('change', follow);
    const on = theme.getAttribute('aria-checked') !== 'true';
    tell(on);
    for (const rule of dark) rule.media.mediaText = on ? 'screen' : 'not all';
  });
  document.querySelector('header').append(theme);

  // Sorting: first the way that is asked for most, then the other way, then as it was.
  const key = (row, column, numeric) => {
    const cell = row.cells[column];
    const value = cell.dataset.v;
    if (value === '') return null;
    return numeric ? Number(value) : cell.textContent.toLowerCase();
  };
  const sort = (rows, column, numeric, sign) => {
    const keyed = rows.map((row) => [key(row, column, numeric), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return a < b ? -sign : a > b ? sign : 0;
    });
    return keyed.map(([, row]) => row);
  };
  for (const table of all('table')) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    if (rows.length < 2) continue;
    heads.forEach((head, column) => {
      if (!head.hasAttribute('aria-sort')) return;
      const numeric = head.classList.contains('n');
      const orders = numeric ? ['descending', 'ascending', 'none'] : ['ascending', 'descending', 'none'];
      const button = make('button', { type: 'button' });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const at = orders.indexOf(head.getAttribute('aria-sort'));
        const order = orders[(at + 1) % 3];
        for (const other of heads) {
          if (other.hasAttribute('aria-sort')) other.setAttribute('aria-sort', other === head ? order : 'none');
        }
        const sign = order === 'descending' ? -1 : 1;
        body.append(...(order === 'none' ? rows : sort(rows, column, numeric, sign)));
      });
    });
  }

  // Filtering: one box a section, for the rows of all its tables.
  for (const section of all('section.filtered')) {
    const tables = all('.scroll', section).filter((scroll) => scroll.querySelector('tbody'));
    const rows = tables.map((scroll) => {
      const fold = scroll.closest('details');
      const title = fold ? fold.querySelector('summary').textContent : '';
      return all('tbody tr', scroll).map((row) => [row, `${title} ${row.textContent}`.toLowerCase()]);
    });
    const count = rows.flat().length;
    if (count < 2) continue;
    const title = section.querySelector('h2');
    const input = make('input', { type: 'search', placeholder: 'Filter rows', autocomplete: 'off', spellcheck: false });
    input.setAttribute('aria-label', `Filter rows of ${title.textContent}`);
    const output = make('output');
    const box = make('div', { className: 'filter' });
    box.append(input, output);
    title.after(box);
    input.addEventListener('input', () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      tables.forEach((scroll, at) => {
        let here = 0;
        for (const [row, text] of rows[at]) {
          row.hidden = !words.every((word) => text.includes(word));
          here += !row.hidden;
        }
        (scroll.closest('details') || scroll).hidden = here === 0;
        shown += here;
      });
      output.textContent = words.length ? `${shown} of ${count} rows` : '';
    });
  }

  // Values of plots, under the pointer or step by step with the arrow keys.
  const tip = make('div', { className: 'tip', hidden: true });
  tip.setAttribute('role', 'status');
  document.body.append(tip);
  let lit = null;
  let byKey = false;
  const hide = () => {
    if (lit) lit.classList.remove('on');
    lit = null;
    tip.hidden = true;
  };
  const place = (x, y) => {
    const { innerWidth: width, innerHeight: height } = window;
    tip.style.left = `${Math.max(4, Math.min(x + 14, width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y + 14 + tip.offsetHeight > height ? y - tip.offsetHeight - 10 : y + 14}px`;
  };
  const beside = (spot) => {
    const { right, top } = spot.getBoundingClientRect();
    place(right, Math.max(top, 60));
  };
  const show = (spot) => {
    if (lit === spot) return;
    hide();
    lit = spot;
    spot.classList.add('on');
    tip.textContent = spot.dataset.says;
    tip.hidden = false;
  };
  for (const picture of all('.picture')) {
    const spots = all('.at', picture);
    if (!spots.length) continue;
    for (const spot of spots) {
      // In place of the browser's own tip, which comes late and not for the keyboard.
      const title = spot.querySelector('title');
      spot.dataset.says = title.textContent;
      title.remove();
    }
    picture.tabIndex = 0;
    const point = (event) => {
      // When the page moves under a pointer at rest, the keyboard keeps what it chose.
      if (byKey && lit && event.type === 'pointermove' && !event.movementX && !event.movementY) return;
      byKey = false;
      if (!event.target.classList.contains('at')) return hide();
      show(event.target);
      place(event.clientX, event.clientY);
    };
    picture.addEventListener('pointermove', point);
    picture.addEventListener('pointerdown', point);
    picture.addEventListener('pointerleave', () => byKey || hide());
    picture.addEventListener('blur', hide);
    picture.addEventListener('keydown', (event) => {
      const at = spots.indexOf(lit);
      const last = spots.length - 1;
      const to = {
        ArrowRight: Math.min(at + 1, last),
        ArrowDown: Math.min(at + 1, last),
        ArrowLeft: Math.max(at - 1, 0),
        ArrowUp: Math.max(at - 1, 0),
        Home: 0,
        End: last,
      }[event.key];
      if (event.key === 'Escape') hide();
      if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      byKey = true;
      spots[to].scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
      show(spots[to]);
      beside(spots[to]);
    });
  }
  const moved = () => lit && (byKey ? beside(lit) : hide());
  addEventListener('scroll', moved, { passive: true, capture: true });
})();
