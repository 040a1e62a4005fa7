"""Access to a live view: tokens, host names, other sites."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from fer_edge.errors import UsageError
from tests.edge.sinks.http.serving import TOKEN, Answer, Served

PATHS = ("/", "/app.js", "/stream", "/images", "/events", "/snapshot.jpg", "/healthz", "/metrics")


@pytest.fixture
def local() -> Iterator[Served]:
    with Served() as served:
        served.write()
        yield served


@pytest.fixture
def protected() -> Iterator[Served]:
    with Served(token=TOKEN) as served:
        served.write()
        yield served


def assert_refused(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert TOKEN not in repr(answer)


class TestToken:
    def test_this_machine_alone_needs_none(self, local: Served) -> None:
        assert "token" not in local.sink.url
        assert local.get("/healthz").status == 200

    def test_another_host_gets_a_random_one(self) -> None:
        with Served("0.0.0.0:0") as one, Served("0.0.0.0:0") as other:
            tokens = [served.sink.url.partition("/?token=")[2] for served in (one, other)]
            assert tokens[0] != tokens[1]
            assert all(len(token) >= 22 for token in tokens)
            assert one.get("/healthz").status == 401
            assert one.get("/healthz", authorization=f"Bearer {tokens[0]}").status == 503
            assert one.get("/healthz", authorization=f"Bearer {tokens[1]}").status == 401

    @pytest.mark.parametrize("path", PATHS)
    def test_nothing_is_read_without_it(self, protected: Served, path: str) -> None:
        answer = protected.get(path)
        assert_refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert ("<form" in answer.body.decode()) is (path == "/")

    @pytest.mark.parametrize("path", ["/style.css", "/icon.svg"])
    def test_what_the_page_without_it_needs_is_open(self, protected: Served, path: str) -> None:
        assert protected.get(path).status == 200

    def test_the_address_with_it_gives_a_cookie_and_leads_to_the_one_without(self, protected: Served) -> None:
        answer = protected.get(f"/?token={TOKEN}")
        assert answer.status == 303
        assert answer.headers["location"] == "/"
        cookie, *attributes = answer.headers["set-cookie"].split("; ")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
        assert protected.get("/", cookie=f"other=1; {cookie}").status == 200
        assert protected.get("/healthz", cookie=cookie).status == 200

    @pytest.mark.parametrize(
        "headers",
        [{"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, {"accept": "text/html,*/*;q=0.8"}],
        ids=["said", "not said, as over HTTP to another machine"],
    )
    def test_a_link_on_another_site_works(self, protected: Served, headers: dict[str, str]) -> None:
        """Browsers do not send a strict cookie along a redirect that another site started."""
        answer = protected.get(f"/?token={TOKEN}", **headers)
        assert answer.status == 200
        assert 'http-equiv="refresh" content="0; url=/"' in answer.body.decode()
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert TOKEN not in answer.body.decode()

    @pytest.mark.parametrize(
        "headers",
        [
            {"authorization": "Bearer wrong"},
            {"authorization": "Bearer"},
            {"authorization": "Bearer \xff"},
            {"authorization": f"Basic {TOKEN}"},
            {"authorization": TOKEN},
            {"cookie": f"fer_edge={TOKEN}"},
            {"cookie": f"fer_edge_1={TOKEN}"},
            {"cookie": "; ;=; fer_edge_"},
        ],
    )
    def test_a_wrong_one_is_refused(self, protected: Served, headers: dict[str, str]) -> None:
        assert_refused(protected.get("/healthz", **headers), 401)

    @pytest.mark.parametrize(
        "query", ["token=wrong", "token=", "token", "token=%00", "tok=1", "&&&", "token=%ff"]
    )
    def test_a_wrong_one_in_the_address_is_refused(self, protected: Served, query: str) -> None:
        assert_refused(protected.get(f"/?{query}"), 401)

    def test_a_bearer_s_scheme_is_in_any_case(self, protected: Served) -> None:
        assert protected.get("/healthz", authorization=f"bEARER {TOKEN}").status == 200

    def test_it_is_in_neither_the_address_nor_any_answer(self, protected: Served) -> None:
        assert TOKEN not in protected.sink.url
        authorization = f"Bearer {TOKEN}"
        for path in ("/", "/app.js", "/healthz", "/metrics", "/nowhere"):
            assert TOKEN not in repr(protected.get(path, authorization=authorization))

    def test_two_runs_on_one_machine_have_cookies_of_their_own(self, protected: Served) -> None:
        with Served(token=TOKEN) as other:
            names = [
                served.get(f"/?token={TOKEN}").headers["set-cookie"].partition("=")[0]
                for served in (protected, other)
            ]
            assert names[0] != names[1]

    @pytest.mark.parametrize(
        "token", ["hunter2", "a" * 15, "a" * 129, "sixteen letters!!", "ä" * 20, "a" * 20 + "\n"]
    )
    def test_one_that_is_easily_guessed_is_refused(self, token: str) -> None:
        with pytest.raises(UsageError, match=r"expected 16 to 128 letters.* in FER_EDGE_TOKEN") as caught:
            Served(token=token)
        assert token not in str(caught.value)


class TestHost:
    @pytest.mark.parametrize(
        "host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "localhost.", "127.1.2.3"]
    )
    @pytest.mark.parametrize("port", ["", ":9000"])
    def test_names_of_this_machine_are_served_by_whatever_port_is_led_here(
        self, local: Served, host: str, port: str
    ) -> None:
        assert local.get("/healthz", host=host + port).status == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.5",
         "[2001:db8::1]", "2130706433", "0x7f.1"],
    )  # fmt: skip
    @pytest.mark.parametrize("path", ["/", "/style.css", "/events", "/nowhere"])
    def test_other_names_are_refused(self, local: Served, host: str, path: str) -> None:
        answer = local.get(path, host=host)
        assert answer.status == 403
        assert host not in answer.body.decode()

    @pytest.mark.parametrize(
        "host", ["", " ", "a b", "localhost:x", "localhost:123456", "[::1", "http://localhost", "a@b"]
    )
    def test_what_is_no_host_is_a_bad_request(self, local: Served, host: str) -> None:
        assert local.get("/healthz", host=host).status == 400

    @pytest.mark.parametrize(
        ("host", "status"),
        [("192.168.1.5:80", 200), ("[2001:db8::1]", 200), ("127.0.0.1", 200), ("localhost", 200), ("{me}", 200),
         ("{me}.local", 200), ("evil.example", 403), ("{me}.evil.example", 403)],
    )  # fmt: skip
    def test_on_all_addresses_every_one_and_the_machine_s_names_are(self, host: str, status: int) -> None:
        with Served("0.0.0.0:0", TOKEN) as served:
            served.write()
            me = socket.gethostname().partition(".")[0]
            answer = served.get("/healthz", host=host.format(me=me), authorization=f"Bearer {TOKEN}")
            assert answer.status == status


class TestOtherSites:
    @pytest.mark.parametrize("site", ["cross-site", "same-site", "strange"])
    @pytest.mark.parametrize(
        "path", ["/app.js", "/stream", "/events", "/snapshot.jpg", "/healthz", "/style.css"]
    )
    @pytest.mark.parametrize("mode", ["no-cors", "navigate"])
    def test_they_may_not_read(self, local: Served, site: str, path: str, mode: str) -> None:
        assert local.get(path, sec_fetch_site=site, sec_fetch_mode=mode).status == 403

    def test_they_may_link_to_the_page_and_not_embed_it(self, local: Served) -> None:
        assert local.get("/", sec_fetch_site="cross-site", sec_fetch_mode="navigate").status == 200
        assert local.get("/", sec_fetch_site="cross-site", sec_fetch_mode="no-cors").status == 403

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "", "evil"])
    def test_they_may_not_fetch(self, local: Served, origin: str) -> None:
        answer = local.get("/events", origin=origin or " ")
        assert answer.status == 403
        assert not any(name.startswith("access-control") for name in answer.headers)

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    def test_the_page_itself_may(self, local: Served, site: str) -> None:
        origin = f"http://127.0.0.1:{local.port}"
        assert local.get("/healthz", sec_fetch_site=site, origin=origin).status == 200
        assert local.get("/healthz", origin=origin).status == 200

    def test_the_page_behind_a_proxy_may(self, local: Served) -> None:
        """The page's origin is the proxy; only the browser can confirm that it is the page's own."""
        assert (
            local.get("/healthz", sec_fetch_site="same-origin", origin="https://proxy.example").status == 200
        )


@pytest.mark.parametrize("path", ["/", "/style.css", "/healthz", "/metrics", "/nowhere", "/../x"])
def test_every_answer_keeps_to_itself(local: Served, path: str) -> None:
    headers = local.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers
    assert "python" not in repr(headers).lower()
