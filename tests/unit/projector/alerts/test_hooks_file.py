"""The file of the hooks is read as it is meant, and what is wrong in it is named with its key and what is expected."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from headway_events.alerts import AlertType
from headway_projector.alerts import hooks_file
from headway_projector.alerts.hooks import ErrorRate, Format, Hooks
from headway_projector.errors import InvalidAlerts

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NEXT = "whsec_" + base64.b64encode(b"n" * 24).decode()
URL = "https://hooks.example/services/T0/B0/secret-path"
SLACK = 'name = "ops"\nformat = "slack"\n'
JSON = 'name = "api"\nformat = "json"\nurl = "http://127.0.0.1:9/"\n'


def read(path: Path, text: str, environment: dict[str, str] | None = None) -> Hooks:
    (path / "alerts.toml").write_text(text)
    return hooks_file.read(str(path / "alerts.toml"), environment or {})


def file(hook: str) -> str:
    return f'dashboard = "https://dash.example/headway/"\n[[hooks]]\n{hook}'


def test_without_a_file_there_are_no_hooks() -> None:
    assert hooks_file.read("") == Hooks()


def test_what_a_hook_leaves_out_has_a_default(tmp_path: Path) -> None:
    hooks = read(tmp_path, file(f'{SLACK}url = "{URL}"'))
    (hook,) = hooks.hooks
    assert (hooks.dashboard, hooks.give_up_after_s) == ("https://dash.example/headway", 24 * 60 * 60)
    assert (hook.name, hook.format, hook.url, hook.host) == ("ops", Format.SLACK, URL, "hooks.example")
    assert (hook.secrets, hook.labels, hook.error_rate) == ((), {}, ErrorRate(0.05, 100))
    assert hook.events == {kind for kind in AlertType if kind is not AlertType.TEST}
    assert hooks.named("ops") is hook
    assert hooks.named("api") is None


def test_addresses_and_secrets_are_taken_from_files_beside_it_and_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f" {URL}\n")
    (tmp_path / "keys").write_text(f"{SECRET}\n{NEXT}\n")
    text = (
        file(f'{SLACK}url_file = "url"\n[[hooks]]\n{JSON}secret_file = "keys"\n[[hooks]]\n')
        + 'name = "env"\nformat = "json"\nurl_env = "THERE"\nsecret_env = "KEY"\n'
    )
    hooks = read(tmp_path, text, {"THERE": "http://there.example:8000/x", "KEY": SECRET})
    assert [hook.url for hook in hooks.hooks] == [URL, "http://127.0.0.1:9/", "http://there.example:8000/x"]
    assert [hook.secrets for hook in hooks.hooks] == [(), (b"k" * 32, b"n" * 24), (b"k" * 32,)]
    assert [hook.host for hook in hooks.hooks] == ["hooks.example", "127.0.0.1:9", "there.example:8000"]
    shown = repr(hooks)
    assert "secret-path" not in shown
    assert "kkk" not in shown


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ('name = "a b"\nformat = "slack"\nurl = "http://h"', "hooks[0].name is 'a b'; expected up to 64 letters"),
        ('name = "a"\nformat = "xml"\nurl = "http://h"', "hooks[0].format is 'xml'; expected slack or json"),
        (f'{SLACK}url = "ftp://h"', "hooks[0].url is no address; expected http:// or https://, and a host"),
        (f'{SLACK}url = "http://h:99999/"', "hooks[0].url is no address; expected http:// or https://"),
        (SLACK, "hooks[0] has none or several of them; expected one of url, url_file and url_env"),
        (f'{SLACK}url = "http://h"\nurl_env = "U"', "hooks[0] has none or several of them; expected one of url,"),
        (f'{SLACK}url_env = "U"', "hooks[0].url_env names 'U'; expected a variable of the environment that is set"),
        (f'{SLACK}url_file = "no"', "hooks[0].url_file names 'no'; expected a file that can be read (No such file"),
        (f'{SLACK}url = "http://h"\nsecret_env = "S"', "hooks[0] has a secret; expected none for slack"),
        (JSON, "hooks[0] has no secret, or two; expected secret_file or secret_env"),
        (f'{JSON}secret_env = "BAD"', "hooks[0].secret_env is no secret; expected whsec_ and 24 to 64 bytes in base64"),
        (f'{JSON}secret_env = "SHORT"', "hooks[0].secret_env is no secret; expected whsec_ and 24 to 64 bytes"),
        (f'{JSON}secret_file = "empty"', "hooks[0].secret_file is empty; expected whsec_"),
        (f'{SLACK}url = "http://h"\nevents = ["batch.done"]', "hooks[0].events is ['batch.done']; expected some of ba"),
        (f'{SLACK}url = "http://h"\nevents = ["test"]', "hooks[0].events is ['test']; expected some of b"),
        (f'{SLACK}url = "http://h"\nevents = []', "hooks[0].events is []; expected some of b"),
        (f'{SLACK}url = "http://h"\nlabels = {{a = 1}}', "hooks[0].labels[...]: Expected `str`, got `int`"),
        (f'{SLACK}url = "http://h"\ncolour = "red"', "hooks[0]: Object contains unknown field `colour`"),
        (f'{SLACK}url = "http://h"\nerror_rate = {{share = 5}}', "hooks[0].error_rate.share is 5.0; expected a share"),
        (f'{SLACK}url = "http://h"\nerror_rate = {{min_files = 0}}', "hooks[0].error_rate.min_files is 0; expected at"),
        (f'{SLACK}url = "http://h"\n[[hooks]]\n{SLACK}url = "http://i"', "hooks[1].name is 'ops' once more; expected"),
        ('format = "slack"', "hooks[0]: Object missing required field `name`"),
        ('name = "a', "is not TOML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, hook: str, message: str) -> None:
    (tmp_path / "empty").write_text("\n")
    environment = {"BAD": "whsec_%%%", "SHORT": "whsec_" + base64.b64encode(b"k" * 23).decode()}
    with pytest.raises(InvalidAlerts) as caught:
        read(tmp_path, file(hook), environment)
    assert str(caught.value).startswith(f"{tmp_path / 'alerts.toml'} (HEADWAY_PROJECTOR_ALERTS_FILE)")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hooks = []", "the file: Object missing required field `dashboard`"),
        (
            'dashboard = "dash.example"\nhooks = []',
            "dashboard is 'dash.example'; expected the address of the dashboard",
        ),
        (
            'dashboard = "http://d"\ngive_up_after_s = 0\nhooks = []',
            "give_up_after_s is 0; expected seconds, at least 1",
        ),
    ],
)
def test_what_is_wrong_around_the_hooks_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidAlerts) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidAlerts, match=r"nowhere\.toml .*cannot be read: .*No such file"):
        hooks_file.read(str(tmp_path / "nowhere.toml"))
