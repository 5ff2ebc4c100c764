"""`overround keys`: who may use a service that others can reach."""

from typing import Annotated

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_facts, print_json, print_rows

app = typer.Typer(help="API keys: make, list and revoke them.", no_args_is_help=True)

_LONGEST_NAME = 100

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what it is for.")],
    *,
    role: Annotated[str, typer.Option(help="`read`, or `operate`: may start runs and change settings too.")] = "read",
    json: JsonOption = False,
) -> None:
    """Make a key and print it; it is shown this once, since only a digest of it is kept."""
    from overround.cli.key_access import create_key, role_of  # noqa: PLC0415 - command groups import lazily

    with errors_as_one_line():
        chosen = role_of(role)
        if chosen is None or not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
            raise fail(
                "a key needs a name of 1 to 100 printable characters, and the role read or operate", ExitCode.USAGE
            )
        facts = create_key(name, chosen)
    if json:
        print_json(facts)
    else:
        print_facts("Key, shown this once", facts)


@app.command(name="list")
def list_(*, json: JsonOption = False) -> None:
    """List the keys, revoked ones too."""
    from overround.cli.key_access import all_keys  # noqa: PLC0415 - command groups import lazily

    with errors_as_one_line():
        keys = all_keys()
    if json:
        print_json({"keys": keys})
    else:
        print_rows("Keys", ("id", "name", "role", "created_at", "revoked_at"), keys)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")], *, json: JsonOption = False) -> None:
    """Revoke a key; a running service refuses it within seconds. Exit 4 if there is no such key to revoke."""
    from overround.cli.key_access import revoke_key  # noqa: PLC0415 - command groups import lazily

    with errors_as_one_line():
        revoked = revoke_key(key_id)
    if json:
        print_json({"id": key_id, "revoked": revoked})
    elif revoked:
        print_facts("Revoked", {"id": key_id})
    if not revoked:
        raise fail(f"there is no key {key_id} to revoke", ExitCode.NOTHING_TO_DO)
