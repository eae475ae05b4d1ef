extension SpaceTimeDiagram {
  /// What a reader can do with the page. It has neither a less-than sign nor an ampersand, so that the page is XML, too;
  /// and what comes from the recording reaches it only as the text of elements.
  static let script = """
    (() => {
      const box = document.getElementById('box'), run = document.getElementById('run');
      const names = document.getElementById('names');
      const what = document.getElementById('what'), list = document.getElementById('past');
      const events = Array.from(run.querySelectorAll('.e'));
      const title = (i) => events[i].querySelector('title').textContent;

      // What came right before each event: at its host, at its client, and what caused it.
      const before = [], last = new Map();
      events.forEach((event, i) => {
        const found = [];
        if (event.dataset.c) { found.push(Number(event.dataset.c)); }
        ['n', 'k'].forEach((kind) => {
          const line = event.dataset[kind];
          if (line === undefined) { return; }
          if (last.has(kind + line)) { found.push(last.get(kind + line)); }
          last.set(kind + line, i);
        });
        before.push(found);
      });

      let chosen = -1;
      const clear = () => {
        chosen = -1;
        run.classList.remove('picked');
        events.forEach((event) => event.classList.remove('past', 'now'));
        what.textContent = 'No event is chosen.';
        list.replaceChildren();
      };
      // Moves the drawing, so that the end of an arrow stands a little below the middle.
      const show = (i) => {
        box.parentElement.scrollIntoView({ block: 'nearest' });
        const edge = box.getBoundingClientRect(), mark = events[i].getBoundingClientRect();
        const isOutside = edge.left > mark.left || mark.right > edge.left + box.clientWidth;
        const isWide = mark.width > box.clientWidth;
        const left = isOutside ? (isWide ? 0 : mark.left - edge.left - box.clientWidth / 2) : 0;
        box.scrollBy(left, mark.bottom - edge.top - box.clientHeight * 0.6);
      };
      const choose = (i, moves) => {
        clear();
        chosen = i;
        const past = new Set(), open = [i];
        while (open.length > 0) {
          const next = open.pop();
          if (past.has(next)) { continue; }
          past.add(next);
          open.push(...before[next]);
        }
        past.forEach((one) => events[one].classList.add('past'));
        events[i].classList.add('now');
        run.classList.add('picked');
        what.textContent = title(i);
        const order = Array.from(past).filter((one) => one !== i).sort((a, b) => b - a);
        const first = document.createElement('li');
        first.textContent = order.length + ' events happened before it' + (order.length > 40 ? ', the last 40:' : ':');
        list.append(first);
        order.slice(0, 40).forEach((one) => {
          const item = document.createElement('li');
          item.textContent = title(one);
          item.addEventListener('click', () => choose(one, true));
          list.append(item);
        });
        if (moves) { show(i); }
      };
      run.addEventListener('click', (event) => {
        const group = event.target.closest('.e');
        if (group) { choose(events.indexOf(group), false); } else { clear(); }
      });
      const follow = () => {
        const i = events.findIndex((event) => '#' + event.id === location.hash);
        if (i >= 0) { choose(i, true); }
      };
      addEventListener('hashchange', follow);

      // A link to the event that is chosen already changes nothing that the browser would tell of.
      document.querySelectorAll('.broken a').forEach((link) => link.addEventListener('click', () => setTimeout(follow)));

      document.querySelectorAll('[data-part]').forEach((part) => {
        const apply = () => run.classList.toggle('no-' + part.dataset.part, !part.checked);
        part.addEventListener('change', apply);
        apply();
      });

      const size = [run, names].map((svg) => [svg, svg.viewBox.baseVal.width, svg.viewBox.baseVal.height]);
      let zoom = 1;
      const scale = (wanted, x, y) => {
        const next = Math.min(4, Math.max(0.2, wanted)), ratio = next / zoom;
        zoom = next;
        const left = (box.scrollLeft + x) * ratio - x, top = (box.scrollTop + y) * ratio - y;
        size.forEach(([svg, width, height]) => {
          svg.setAttribute('width', width * zoom);
          svg.setAttribute('height', height * zoom);
        });
        box.scrollTo(left, top);
      };
      const step = (direction) => {
        const wanted = direction === 0 ? 1 : zoom * (direction > 0 ? 1.25 : 0.8);
        scale(wanted, box.clientWidth / 2, box.clientHeight / 2);
      };
      box.addEventListener('wheel', (event) => {
        if (!(event.ctrlKey || event.metaKey || event.altKey)) { return; }
        event.preventDefault();
        const edge = box.getBoundingClientRect();
        scale(zoom * Math.exp(-event.deltaY / 400), event.clientX - edge.left, event.clientY - edge.top);
      }, { passive: false });
      document.querySelectorAll('[data-zoom]').forEach((button) => {
        button.addEventListener('click', () => step(Number(button.dataset.zoom)));
      });

      const isHidden = (i) => getComputedStyle(events[i]).display === 'none';
      const walk = (direction) => {
        let i = chosen === -1 ? (direction > 0 ? -1 : events.length) : chosen;
        do { i += direction; } while (events[i] ? isHidden(i) : false);
        if (events[i]) { choose(i, true); }
      };
      const keys = {
        '+': () => step(1), '=': () => step(1), '-': () => step(-1), '0': () => step(0),
        'j': () => walk(1), 'k': () => walk(-1), 'Escape': clear,
      };
      addEventListener('keydown', (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) { return; }
        const act = keys[event.key];
        if (act) { event.preventDefault(); act(); }
      });
      // The browser goes to the event of the address by itself, and puts it behind the names; this comes after it.
      addEventListener('load', () => setTimeout(follow));
    })();
    """
}
