extension SpaceTimeDiagram {
  /// The colours of terms are told apart also by who does not see all colours, and the number of a term is written where
  /// it begins. Light and dark follow the reader's system.
  static let style = """
    :root {
      color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --rule: #c4cad1;
      --red: #b3001b; --redpaper: #fdecee; --amber: #8a5a00;
      --t0: #0072b2; --t1: #b85500; --t2: #00795b; --t3: #a63d82; --t4: #6b6400; --t5: #5446b8;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --paper: #14171c; --ink: #e6e9ed; --soft: #a3acb6; --rule: #3d444d;
        --red: #ff8a8a; --redpaper: #3a1518; --amber: #f0b84a;
        --t0: #56b4e9; --t1: #f0982d; --t2: #2fc79a; --t3: #e38bc0; --t4: #d8cf4a; --t5: #aca0f5;
      }
    }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.45 system-ui, sans-serif; }
    header, body > details { padding: 8px 16px; }
    h1 { font-size: 20px; margin: 4px 0; } h2 { font-size: 15px; margin: 0; } p { margin: 4px 0; }
    code { user-select: all; overflow-wrap: anywhere; } a { color: inherit; }
    code, pre, text, #detail { font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
    pre { overflow: auto; font-size: 12px; }
    .broken { color: var(--red); background: var(--redpaper); border-left: 5px solid var(--red);
      padding: 6px 12px; margin: 6px 0; }
    .broken ul { margin: 2px 0; padding-left: 20px; overflow-wrap: anywhere; }
    .legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 4px 0; padding: 0; list-style: none; }
    .legend svg { vertical-align: middle; }
    #controls { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; margin-top: 6px; }
    fieldset { border: 1px solid var(--rule); display: flex; gap: 12px; padding: 2px 10px; margin: 0; }
    #controls span { color: var(--soft); }
    main { display: flex; height: 94vh; border: solid var(--rule); border-width: 1px 0; }
    #box { flex: 1; overflow: auto; }
    #box svg { display: block; }
    #names { position: sticky; top: 0; background: var(--paper); border-bottom: 1px solid var(--rule); }
    #names text { font-weight: 600; font-size: 12px; }
    #detail { width: 340px; overflow: auto; padding: 8px 12px; border-left: 1px solid var(--rule);
      font-size: 12px; overflow-wrap: anywhere; }
    #what { font-weight: 600; } #past { padding-left: 0; list-style: none; }
    #past li { margin: 0 0 4px; cursor: pointer; color: var(--soft); }
    #past li:hover { color: var(--ink); }
    text { fill: var(--ink); font-size: 10.5px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px;
      stroke-linejoin: round; }
    #names text, .tick { stroke: none; }
    .tick, .minor { fill: var(--soft); }
    .grid { stroke: var(--rule); stroke-width: .6; stroke-dasharray: 1 5; }
    .t0 { --c: var(--t0); } .t1 { --c: var(--t1); } .t2 { --c: var(--t2); }
    .t3 { --c: var(--t3); } .t4 { --c: var(--t4); } .t5 { --c: var(--t5); }
    .line { stroke: var(--c, var(--soft)); stroke-width: 3; fill: none; }
    .line.candidate { stroke-width: 5; stroke-dasharray: 5 2; }
    .line.leader { stroke-width: 9; }
    .line.down { stroke: var(--soft); stroke-width: 2; stroke-dasharray: 3 5; }
    .still { fill: url(#hatch); stroke: var(--soft); }
    .hatch { stroke: var(--ink); stroke-width: 2.4; }
    .e { cursor: pointer; }
    .e path { stroke: var(--c, var(--soft)); stroke-width: 1.3; fill: none; }
    .e circle { stroke: var(--c, var(--ink)); stroke-width: 1.8; fill: var(--paper); }
    .e .hit { stroke: transparent; stroke-width: 9; }
    .e .cross { stroke-width: 2.2; }
    .beat path { stroke-width: .8; stroke-dasharray: 4 2; }
    .sent circle { fill: var(--c, var(--ink)); stroke: none; }
    .open { stroke-dasharray: 2 3; }
    .lost .cross, .crash .cross { stroke: var(--ink); stroke-dasharray: none; }
    .crash .cross { stroke-width: 3.2; }
    .role circle { fill: var(--c); }
    .crash text, .role text, .fault text, .life text { font-weight: 600; }
    .commit path { fill: var(--ink); stroke: var(--paper); } .commit circle { fill: var(--ink); stroke: none; }
    .disk path, .snap path, .config path { fill: var(--ink); stroke: var(--ink); }
    .disk.begun path { fill: var(--paper); }
    .fault path { fill: var(--amber); stroke: var(--paper); } .fault text { fill: var(--amber); }
    .e.client path { stroke: var(--ink); stroke-width: 1.5; }
    .client.unanswered { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; fill: none; }
    .e.client .wire { stroke-width: .8; stroke-dasharray: 2 3; opacity: 0; }
    .e:hover .wire, .now .wire { opacity: 1; }
    .violation .rule { stroke: var(--red); stroke-width: 3; }
    .violation text { fill: var(--red); font-size: 12px; font-weight: 700; }
    .e:hover path:not(.hit) { stroke-width: 2.4; }
    .picked .e:not(.past) { opacity: .13; }
    .e.now text, .e.now path:not(.hit) { stroke-width: 3; }
    .e.now circle { stroke: var(--red); stroke-width: 3; }
    .no-beat .beat, .no-client .client, .no-disk .disk, .no-commit .commit { display: none; }
    @media print { main { height: auto; display: block; } #box { overflow: visible; } #controls, #detail { display: none; } }
    """
}
