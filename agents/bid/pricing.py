"""``mingbiao bid price``: make the price file on this machine, without the browser. Nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from agents.bid.prices import major
from agents.bid.quoting import SME_CLAIMS, Template, quote, read_template
from agents.words import reporting, say, warn, words
from trading.crypto.files import write_secret
from trading.kernel.canonical import dumps
from trading.kernel.errors import InvalidInput

_TEMPLATE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT: Final = click.Path(dir_okay=False, path_type=Path)


@click.command("price")
@click.option("--template", required=True, type=_TEMPLATE, help="Items of the lot, from the lot's page.")
@click.option("--unit-price", "given", multiple=True, help="CODE=1234.56, in major units; what is left out is asked.")
@click.option("--delivery-days", type=int, help="Days of delivery or performance that you offer.")
@click.option(
    "--sme", type=click.Choice(SME_CLAIMS), help="Claim of a small or micro enterprise, or such a consortium."
)
@click.option(
    "--domestic-share", help="Share of domestic products in the cost of all products offered, per cent, such as 85.5."
)
@click.option("--out", required=True, type=_OUT, help="Price file to write, mode 0600.")
def price(
    template: Path,
    given: tuple[str, ...],
    delivery_days: int | None,
    sme: str | None,
    domestic_share: str | None,
    out: Path,
) -> None:
    """Compute amounts and total from unit prices and write the price file for ``bid seal --price-file``."""
    with reporting():
        found = read_template(template)
        unit_prices = _given(given)
        for item in found.items:
            if item.code not in unit_prices:
                asked = words(
                    f"{item.name}（{item.quantity} {item.unit}）单价", f"{item.name} ({item.quantity}) unit price"
                )
                unit_prices[item.code] = click.prompt(asked)
        domestic = {} if domestic_share is None else {"domestic_share": domestic_share}
        made = quote(found, unit_prices, {"delivery_days": delivery_days, **domestic, "sme": sme})
        write_secret(out, dumps(made))
    _show(found, int(made["total"]), out)


def _given(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        code, separator, amount = pair.partition("=")
        if not separator:
            raise InvalidInput("price.malformed", f"{pair!r} is not CODE=PRICE")
        found[code] = amount
    return found


def _show(template: Template, total: int, out: Path) -> None:
    shown = major(total, template.currency)
    say(f"总价 {shown}，已写入 {out}，没有发送到任何地方", f"Total {shown}, written to {out}; nothing was sent")
    if template.ceiling is not None and total > template.ceiling:
        limit = major(template.ceiling, template.currency)
        warn(
            f"总价高于最高限价 {limit}，投标会被否决",
            f"The total is above the ceiling {limit}: the bid would be rejected",
        )
