"""What fails most, and where programs crash: tables with small pictures."""

from exitsnoop.model.callers import base
from exitsnoop.model.functions import function_name
from exitsnoop.model.outcomes import outcome
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import bar, how, row_of, section, spark, table
from exitsnoop.pages.words import number
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.evidence import Crash
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.headline import label
from exitsnoop.reports.overview.period import PARTS
from exitsnoop.reports.overview.rows import literal
from exitsnoop.reports.when import local
from exitsnoop.sinks.escape import escape

_MOST_ROWS = 25


def ways(of: Overview) -> Markup:
    """Return the part about what fails most."""
    if not of.ways:
        return section("ways", "What fails most", element("p", "Nothing failed."))
    period = of.period
    top = of.ways[0].times
    body = []
    heads = ("Program", "How", "Times", "", "Before", "When", "First seen", "Last")
    kinds = "  n n tt"
    for one in of.ways[:_MOST_ROWS]:
        kind = outcome(one.cause).name
        first = local(one.first_ns, period.now_ns)
        cells = [
            label(one.whose),
            how(one.cause, one.status),
            number(one.times),
            bar(one.times / top, f"o-{kind}"),
            number(one.before) if of.before.is_known else "nobody looked",
            spark(one.parts, period.bins, PARTS, kind),
            joined((first, element("b", " new") if of.is_new(one) else None)),
            local(one.last_ns, period.now_ns),
        ]
        its_rows = rows.past(
            period.from_ns, period.to_ns, of=one.whose, causes=[one.cause], status=one.status
        )
        body.append(row_of(cells, kinds, its_rows=its_rows))
    caption = "What fails most"
    return section(
        "ways",
        caption,
        table(caption, heads, body, kinds=kinds, total=len(of.ways), of="ways to fail"),
    )


def crashes(of: Overview) -> Markup:
    """Return the part about crashes, one signature a row."""
    if not of.crashes:
        return section("crashes", "Crashes", element("p", "No program crashed."))
    top = of.crashes[0].times
    heads = ("Program", "Signature", "Times", "", "Before", "First seen", "Last")
    kinds = "  n ntt"
    body = []
    for one in of.crashes[:_MOST_ROWS]:
        cells = [
            escape(one.exe, spaces=False),
            signature(one),
            number(one.times),
            bar(one.times / top, "o-crash"),
            number(one.before) if of.before.is_known else "nobody looked",
            local(one.first_ns, of.period.now_ns),
            local(one.last_ns, of.period.now_ns),
        ]
        body.append(row_of(cells, kinds, its_rows=crash_rows(of, one)))
    caption = "Crashes, a signature a row"
    return section(
        "crashes",
        "Crashes",
        table(caption, heads, body, kinds=kinds, total=len(of.crashes), of="signatures"),
    )


def signature(one: Crash) -> str:
    """Return where, or how, a program crashed: escaped, in one line."""
    parts = [escape(one.signal)]
    if one.function or one.module:
        where = [function_name(one.function)] if one.function else []
        where += [base(one.module)] if one.module else []
        parts.append("called in" if one.called else "in")
        parts.append(" of ".join(escape(part, spaces=False) for part in where))
    if one.code and not one.function:
        parts.append(escape(one.code))
    if one.access:
        parts.append(f"({escape(one.access)})")
    if one.cause == "abort":
        parts[0] += " by abort()"
    if one.cause == "self":
        parts[0] += " to itself"
    return " ".join(parts)


def crash_rows(of: Overview, one: Crash) -> str:
    """Return the command that gives the rows of a signature; of abort(), maybe more than these."""
    conditions: dict[str, str | int | None] = {
        "ifnull(exe, comm)": one.exe,
        "cause": one.cause,
        "signal_name": one.signal,
    }
    more = []
    if one.called:
        more = [f"instr(cause_stack, {literal(one.function or one.module or '')}) > 0"]
    else:
        conditions |= {"cause_at_module": one.module, "cause_at_function": one.function}
    if one.function is None:
        conditions |= {"cause_si_code": one.code, "cause_access": one.access}
    return rows.sql(of.period, conditions, *more)
