"""Peak memory and CPU time of short-lived processes, by program and place."""

from exitsnoop.model.words import human_bytes
from exitsnoop.pages.markup import Markup, element
from exitsnoop.pages.parts import bar, row_of, section, table
from exitsnoop.pages.words import number, seconds
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.headline import label
from exitsnoop.reports.overview.lives import SHORT_S, Used

_MOST_EACH = 12


def chosen(of: Overview) -> list[Used]:
    """Return what used most CPU time, and what had most memory."""
    by_rss = sorted(of.used, key=lambda one: -(one.max_rss or 0))[:_MOST_EACH]
    return [*dict.fromkeys([*of.used[:_MOST_EACH], *by_rss])]


def drawn(of: Overview) -> Markup:
    """Return the part of the page."""
    title = f"Memory and CPU of what lived at most {SHORT_S} s"
    if not of.used:
        return section("used", title, element("p", "No process lived so shortly."))
    shown = chosen(of)
    top_s = max(one.cpu_s or 0 for one in shown) or 1
    top_rss = max(one.max_rss or 0 for one in shown) or 1
    heads = ("Program", "Processes", "CPU in all", "", "CPU each", "Peak memory", "")
    kinds = " nn nn "
    body = []
    for one in shown:
        cpu_s = one.cpu_s or 0
        cells = [
            label(one.whose),
            number(one.processes),
            "" if one.cpu_s is None else seconds(cpu_s),
            bar(cpu_s / top_s, "well"),
            "" if one.cpu_s is None else seconds(cpu_s / one.processes),
            "" if one.max_rss is None else human_bytes(one.max_rss),
            bar((one.max_rss or 0) / top_rss, "well"),
        ]
        body.append(row_of(cells, kinds, its_rows=used_rows(of, one)))
    return section(
        "used",
        title,
        table(title, heads, body, kinds=kinds, total=len(of.used), of="programs"),
    )


def used_rows(of: Overview, one: Used) -> str:
    """Return the command that gives the rows of what short-lived processes used."""
    found = rows.past(of.complete_ns, of.period.to_ns, of=one.whose, failed=False)
    return f"{found} --max-age {SHORT_S}s"
