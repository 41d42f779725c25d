// The liquidation calculator: the arithmetic of liqlab/margin for one position, and the form that asks for it.
// `calculator-tables.js` holds markets, formulas and tiers, written when the site is built.
(() => {
  const refuse = (text) => { throw new Error(text); };
  const plain = (number) => number.toLocaleString("en-US", {maximumSignificantDigits: 9});

  function need(name, value, good, allowed) {
    if (typeof value !== "number" || !Number.isFinite(value) || !good(value)) {
      refuse(`${name} must be ${allowed}${Number.isFinite(value) ? `, got ${value}` : ""}`);
    }
    return value;
  }

  // The position as a linear contract sees it: an inverse one is its mirror, the other side at 1/E.
  function positionOf(asked, formula) {
    const inverse = formula.contract === "inverse";
    const money = inverse ? "coins" : "quote", given = (value) => value !== null && value !== undefined;
    const entry = need("The entry price", asked.entry, (x) => x > 0, "a number above 0");
    const cross = given(asked.wallet), added = asked.added ?? 0;
    const maintenance = asked.otherMaintenance ?? 0, pnl = asked.otherPnl ?? 0;
    if (!given(asked.quantity) && cross) refuse("A wallet balance needs a size: fill in the size");
    if (!given(asked.quantity) && (added || maintenance || pnl)) {
      refuse("Added margin needs a size to be compared with: fill in the size");
    }
    if (!formula.others && (maintenance || pnl)) refuse(`The formula ${formula.name} has no term for other positions`);
    const size = given(asked.quantity) ? need("The size", asked.quantity, (x) => x > 0, "a number above 0") : 1;
    if (inverse && size < 1) {
      refuse(`The size of an inverse contract is its face value in USD, at least 1, got ${size}; for a size in ` +
        "coins write coins × entry price");
    }
    const sign = (asked.side === "long" ? 1 : -1) * (inverse ? -1 : 1);
    const start = inverse ? 1 / entry : entry;
    need("The added margin", added, () => true, "a number");
    const margin = cross
      ? need("The wallet balance", asked.wallet, (x) => x > 0, `above 0, in ${money}`)
      : start * size / need("The leverage", asked.leverage, (x) => x >= 1, "1 or more");
    need("The other positions' maintenance margin", maintenance, () => true, "a number");
    need("The other positions' unrealised PnL", pnl, () => true, "a number");
    if (added && margin + added <= 0) refuse("More margin is taken out than there is: take out less");
    return {sign, entry: start, quantity: size, margin, added, other: pnl - maintenance, fee: formula.taker_fee ?? 0,
      cross, inverse, whole: given(asked.quantity), money};
  }

  // Maintenance tiers in the money of the position: [floor, ceiling, rate, amount, highest leverage].
  function requirementOf(asked, position, table) {
    if (asked.rate !== null && asked.rate !== undefined) {
      need("The maintenance rate", asked.rate, (x) => x >= 0 && x < 1, "from 0 to below 100 %");
      return [[0, Infinity, asked.rate, 0, Infinity]];
    }
    if (!position.whole) return [[0, Infinity, table.tiers[0][2], 0, table.tiers[0][4]]];
    const unit = position.inverse && !table.coins ? position.entry : 1; // a table in quote, converted at the entry
    return table.tiers.map(([floor, ceiling, rate, amount, most]) =>
      [floor * unit, ceiling * unit, rate, amount * unit, most]);
  }

  const holding = (tiers, notional) => Math.max(tiers.filter((tier) => tier[0] <= notional).length - 1, 0);

  function refuseOutgrown(tiers, notional) {
    const last = tiers[tiers.length - 1][1];
    if (notional > last * (1 + 1e-9)) {
      refuse(`The position outgrows the last tier: its value would be ${plain(notional)}, at most ${plain(last)} is ` +
        "allowed; reduce the size");
    }
  }

  const solvers = {
    // Margin and loss meet the maintenance margin of the notional at the liquidation price.
    at_liquidation({sign: s, entry, quantity: q, margin, added, other, fee}, tiers) {
      const free = margin + added + other;
      let best = null;
      tiers.forEach(([floor, ceiling, rate, amount], tier) => {
        const price = (free + amount - s * q * entry) / (q * (rate + fee) - s * q);
        const notional = Math.max(price, 0) * q;
        const miss = Math.max(floor - notional, notional - ceiling, 0);
        if (best === null || miss < best.miss) best = {price, tier, miss, notional};
      });
      refuseOutgrown(tiers, Math.max(best.notional, entry * q));
      return best;
    },
    // Margin and loss meet the maintenance margin of the notional at entry.
    at_entry({sign: s, entry, quantity: q, margin, added, other}, tiers) {
      const notional = entry * q;
      refuseOutgrown(tiers, notional);
      const tier = holding(tiers, notional);
      const required = tiers[tier][2] * notional - tiers[tier][3];
      return {price: entry - s * (margin + added + other - required) / q, tier};
    },
  };

  const outward = (price, inverse) => inverse ? 1 / Math.max(price, 0) : Math.max(price, 0);

  // {liquidation, bankruptcy, tier, tiers, money} of a position; an Error says what cannot be and what to do.
  function liquidation(asked, formula, table) {
    const position = positionOf(asked, formula), tiers = requirementOf(asked, position, table);
    if (!position.cross) {
      const notional = position.entry * position.quantity;
      refuseOutgrown(tiers, notional);
      const most = tiers[holding(tiers, notional)][4];
      if (asked.leverage > most) {
        refuse(`${asked.leverage}x is above the maximum of ${most}x for a position of this size; lower the leverage or ` +
          "the size");
      }
    }
    const solved = solvers[formula.solver](position, tiers);
    const used = position.entry - position.sign * (position.margin + position.added) / position.quantity;
    return {liquidation: outward(solved.price, position.inverse), bankruptcy: outward(used, position.inverse),
      tier: solved.tier, tiers, money: position.money};
  }

  globalThis.liqlabCalculator = {liquidation};

  // --- the form ------------------------------------------------------------------------------------------------------

  const form = typeof document === "undefined" ? null : document.getElementById("lq-calculator");
  if (!form) return;
  const {markets, formulas, tables} = globalThis.liqlabTables;
  const at = (name) => form.elements[name];
  const show = (id, text) => { document.getElementById(id).textContent = text; };
  const option = (value, text) => Object.assign(document.createElement("option"), {value, textContent: text ?? value});

  for (const name of new Set(markets.map((market) => market.exchange))) at("exchange").append(option(name));

  function fillSymbols() {
    const before = at("symbol").value;
    const own = markets.filter((market) => market.exchange === at("exchange").value);
    at("symbol").replaceChildren(...own.map(({symbol, contract}) => option(symbol, `${symbol} (${contract})`)));
    if (own.some(({symbol}) => symbol === before)) at("symbol").value = before;
  }

  function numberIn(name) {
    const field = at(name);
    if (field.closest("[hidden]")) return null;
    const text = field.value.replace(/\s/g, "");
    if (text === "") return null;
    const grouped = /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text;
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(grouped)) {
      refuse(`${field.labels[0].textContent.trim()}: ${field.value} is no number; write it as 60000.5`);
    }
    return Number(grouped);
  }

  function asPython(asked, market) {
    const terms = [`${asked.entry}`, `side="${asked.side}"`, `exchange="${market.exchange}"`, `symbol="${market.symbol}"`];
    const names = {leverage: "leverage", wallet: "wallet_balance", quantity: "quantity", added: "added_margin",
      otherMaintenance: "other_maintenance_margin", otherPnl: "other_unrealised_pnl", rate: "maintenance_margin_rate"};
    for (const [key, name] of Object.entries(names)) {
      if (asked[key] !== null && !(asked[key] === 0 && key !== "rate")) terms.push(`${name}=${asked[key]}`);
    }
    return `lq.liquidation_price(${terms.join(", ")})`;
  }

  function away(price, entry) {
    const share = price / entry - 1;
    return `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(2)} % from the entry`;
  }

  function tell(asked, market, formula) {
    const table = tables[market.table];
    const {liquidation: price, bankruptcy, tier, tiers, money} = liquidation(asked, formula, table);
    const unit = formula.contract === "inverse" ? "coins" : market.quote;
    const beyond = asked.side === "long" ? price >= asked.entry : price <= asked.entry;
    const never = price === 0 ? "no fall can" : price === Infinity ? "no rise can" : "";
    show("lq-price", never ? "none" : plain(price));
    show("lq-away", never ? `${never} liquidate this position` : away(price, asked.entry) +
      (beyond ? ": it is liquidated at once; give it more margin or a lower leverage" : ""));
    show("lq-bankruptcy", Number.isFinite(bankruptcy) && bankruptcy > 0
      ? `${plain(bankruptcy)} (${away(bankruptcy, asked.entry)})` : "none");
    const [floor, ceiling, rate, amount, most] = tiers[tier];
    show("lq-tier", asked.rate !== null ? `the rate given, ${plain(100 * rate)} %`
      : asked.quantity === null ? `tier 1 of ${table.tiers.length}: rate ${plain(100 * rate)} %, up to ${most}x`
      : `tier ${tier + 1} of ${tiers.length}: ${plain(floor)} to ${plain(ceiling)} ${unit}, rate ` +
        `${plain(100 * rate)} %, amount ${plain(amount)} ${unit}, up to ${most}x`);
    show("lq-formula", `${formula.name}: ${formula.equation}` +
      (formula.taker_fee === null ? "" : `; taker fee ${plain(100 * formula.taker_fee)} %`));
    show("lq-source", `${formula.source}${formula.status === "D" ? "" : " (not the venue's own document)"}`);
    const own = market.proxy ? ` ${market.proxy}: where your venue's differ, fill in the rate of your tier.` : "";
    show("lq-table", asked.rate !== null ? "none was consulted" : `${table.symbol} on ${table.exchange}, as of ` +
      `${table.as_of}.${own}`);
    show("lq-call", asPython(asked, market));
    return money;
  }

  function update() {
    const market = markets.find(({exchange, symbol}) =>
      exchange === at("exchange").value && symbol === at("symbol").value);
    const formula = formulas[market.formula], cross = at("margin").value === "cross";
    const inverse = formula.contract === "inverse", coin = market.symbol.split("/")[0];
    const money = inverse ? coin : market.quote;
    for (const place of form.querySelectorAll("[data-unit]")) {
      place.textContent = {money, price: inverse ? "USD" : market.quote, size: inverse ? "USD" : coin}[place.dataset.unit];
    }
    at("added_in").options[0].textContent = money;
    for (const place of form.querySelectorAll("[data-for]")) {
      place.hidden = place.dataset.for === "others" ? !(cross && formula.others) : cross !== (place.dataset.for === "cross");
    }
    document.getElementById("lq-others-none").hidden = !cross || formula.others;
    const error = document.getElementById("lq-error"), result = document.getElementById("lq-result");
    try {
      const asked = {side: at("side").value, entry: numberIn("entry"), leverage: numberIn("leverage"),
        wallet: numberIn("wallet"), quantity: numberIn("quantity"), added: numberIn("added"),
        otherMaintenance: numberIn("other_maintenance"), otherPnl: numberIn("other_pnl"), rate: numberIn("rate")};
      if (cross && asked.wallet === null) refuse("Fill in the wallet balance");
      if (asked.rate !== null) asked.rate /= 100;
      if (asked.added && at("added_in").value === "percent") {
        if (asked.quantity === null) refuse("Added margin needs a size to be compared with: fill in the size");
        asked.added *= (inverse ? asked.quantity / asked.entry : asked.quantity * asked.entry) / 100;
      }
      tell(asked, market, formula);
      error.hidden = true;
      result.hidden = false;
    } catch (problem) {
      error.textContent = `${problem.message}.`;
      error.hidden = false;
      result.hidden = true;
    }
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  at("exchange").addEventListener("change", fillSymbols);
  form.addEventListener("input", update);
  form.addEventListener("change", update);
  fillSymbols();
  update();
})();
