"""The `overround` command."""

import typer

from overround.cli import db, keys, markets, queue
from overround.cli.demo import demo
from overround.cli.doctor import doctor
from overround.cli.normalise import normalise
from overround.cli.scrape import scrape
from overround.cli.serve import serve
from overround.cli.simulate import simulate

app = typer.Typer(
    name="overround",
    help="Odds comparison for a bookmaker's trading desk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(serve)
app.command()(scrape)
app.command()(simulate)
app.command()(normalise)
app.command()(doctor)
app.add_typer(markets.app, name="markets")
app.add_typer(db.app, name="db")
app.add_typer(queue.app, name="queue")
app.add_typer(keys.app, name="keys")
