"""Issue 3 item 5: requests whose frame lies. Each is answered once, by 4xx, and the connection is closed.

What counts is that no two parsers can see two sequences of requests in the same bytes (RFC 9112 section 11.2).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.serving.process import Server, wait_until
from tests.serving.wire import GOOD, answers, assert_well, chunked, conversation, head, post, resident_bytes, talk

HIDDEN = b"GET /execution-parameters HTTP/1.1\r\nHost: t\r\n\r\n"
"""A request that must not be seen where another reading of the frame has it inside a body."""
MEBIBYTE = 1 << 20
LENGTH = str(len(GOOD)).encode()
CHUNKED = b"Transfer-Encoding: chunked"


@pytest.fixture(autouse=True)
def unharmed(served: Server) -> Iterator[None]:
    """After each case the server is well, its worker the same, and its log without 5xx and tracebacks."""
    workers, told = served.workers, len(served.output)
    yield
    assert_well(served)
    assert served.workers == workers
    written = served.output[told:]
    assert "Traceback" not in written
    assert '"status": 5' not in written.replace('"status": 501', "")


SMUGGLED = {
    "length and chunks": head(b"Content-Length: 6", CHUNKED) + chunked() + HIDDEN,
    "chunks and length": head(CHUNKED, b"Content-Length: 4") + chunked(GOOD) + HIDDEN,
    "coding xchunked": head(b"Transfer-Encoding: xchunked", b"Content-Length: 5") + chunked() + HIDDEN,
    "coding identity": head(b"Transfer-Encoding: identity", b"Content-Length: 5") + chunked() + HIDDEN,
    "coding chunked, identity": head(b"Transfer-Encoding: chunked, identity") + chunked(GOOD) + HIDDEN,
    "coding gzip, chunked": head(b"Transfer-Encoding: gzip, chunked") + chunked(GOOD) + HIDDEN,
    "coding chunked, chunked": head(b"Transfer-Encoding: chunked, chunked") + chunked(GOOD) + HIDDEN,
    "coding twice": head(CHUNKED, b"Transfer-Encoding: identity") + chunked(GOOD) + HIDDEN,
    "coding twice, other order": head(b"Transfer-Encoding: identity", CHUNKED) + chunked(GOOD) + HIDDEN,
    "coding with a parameter": head(b"Transfer-Encoding: chunked;q=1") + chunked(GOOD) + HIDDEN,
    "coding in quotes": head(b'Transfer-Encoding: "chunked"') + chunked(GOOD) + HIDDEN,
    "coding after a vertical tab": head(b"Transfer-Encoding: \x0bchunked", b"Content-Length: 5") + chunked() + HIDDEN,
    "coding and a NUL": head(b"Transfer-Encoding: chunked\0", b"Content-Length: 5") + chunked() + HIDDEN,
    "space before the colon": head(b"Transfer-Encoding : chunked", b"Content-Length: 5") + chunked() + HIDDEN,
    "tab before the colon": head(b"Transfer-Encoding\t: chunked", b"Content-Length: 5") + chunked() + HIDDEN,
    "space before the name": head(b" Transfer-Encoding: chunked", b"Content-Length: 5") + chunked() + HIDDEN,
    "folded coding": head(b"Transfer-Encoding:\r\n chunked", b"Content-Length: 5") + chunked() + HIDDEN,
    "folded field": head(b"X: a\r\n b", b"Content-Length: " + LENGTH) + GOOD + HIDDEN,
    "folded length": head(b"Content-Length:\r\n 5") + GOOD + HIDDEN,
    "line feeds alone": head(b"X: x\nTransfer-Encoding: chunked", b"Content-Length: 5") + chunked() + HIDDEN,
    "carriage return alone": head(b"X: x\rTransfer-Encoding: chunked", b"Content-Length: 5") + chunked() + HIDDEN,
    "NUL in a name": head(b"Con\0tent-Length: 5", b"Content-Length: " + LENGTH) + GOOD + HIDDEN,
    "NUL in a value": head(b"X: a\0b", b"Content-Length: " + LENGTH) + GOOD + HIDDEN,
    "no colon": head(b"Content-Length 5", b"Content-Length: " + LENGTH) + GOOD + HIDDEN,
    "empty name": head(b": 5", b"Content-Length: " + LENGTH) + GOOD + HIDDEN,
    "two lengths": head(b"Content-Length: " + LENGTH, b"Content-Length: 0") + GOOD + HIDDEN,
    "two lengths, other order": head(b"Content-Length: 0", b"Content-Length: " + LENGTH) + GOOD + HIDDEN,
    "two lengths in a list": head(b"Content-Length: 0, " + LENGTH) + GOOD + HIDDEN,
    "negative length": head(b"Content-Length: -1") + GOOD + HIDDEN,
    "length with a plus": head(b"Content-Length: +" + LENGTH) + GOOD + HIDDEN,
    "length in hexadecimal": head(b"Content-Length: 0x10") + GOOD + HIDDEN,
    "length with an exponent": head(b"Content-Length: 1e1") + GOOD + HIDDEN,
    "length with a point": head(b"Content-Length: 5.0") + GOOD + HIDDEN,
    "length with an underscore": head(b"Content-Length: 1_0") + GOOD + HIDDEN,
    "length with a space in it": head(b"Content-Length: 1 0") + GOOD + HIDDEN,
    "length in other digits": head("Content-Length: ٥".encode()) + GOOD + HIDDEN,
    "empty length": head(b"Content-Length:") + GOOD + HIDDEN,
    "length above 64 bits": head(b"Content-Length: 18446744073709551621") + GOOD + HIDDEN,
    "length of 10,000 digits": head(b"Content-Length: " + b"9" * 10_000) + GOOD + HIDDEN,
    "chunks over HTTP/1.0": head(CHUNKED, line=b"POST /invocations HTTP/1.0") + chunked(GOOD) + HIDDEN,
    "negative chunk": head(CHUNKED) + b"-5\r\n" + GOOD + b"\r\n0\r\n\r\n" + HIDDEN,
    "chunk with a plus": head(CHUNKED) + b"+5\r\n" + GOOD + b"\r\n0\r\n\r\n" + HIDDEN,
    "chunk with 0x": head(CHUNKED) + b"0x5\r\n1,2,3\r\n0\r\n\r\n" + HIDDEN,
    "chunk without a size": head(CHUNKED) + b"\r\n" + GOOD + b"\r\n0\r\n\r\n" + HIDDEN,
    "chunk of no number": head(CHUNKED) + b"zz\r\n" + GOOD + b"\r\n0\r\n\r\n" + HIDDEN,
    "chunk above 64 bits": head(CHUNKED) + b"10000000000000005\r\n1,2,3\r\n0\r\n\r\n" + HIDDEN,
    "chunk of 10,000 digits": head(CHUNKED) + b"0" * 10_000 + b"f" * 10_000 + b"\r\n" + HIDDEN,
    "chunk longer than it says": head(CHUNKED) + b"3\r\n1,2,3,4,5\r\n0\r\n\r\n" + HIDDEN,
    "chunk size ended by a line feed": head(CHUNKED) + b"5\n1,2,3\r\n0\r\n\r\n" + HIDDEN,
    "chunk ended by a line feed": head(CHUNKED) + b"5\r\n1,2,3\n0\r\n\r\n" + HIDDEN,
    "chunk extension with a line feed": head(CHUNKED) + b"5;a\nb\r\n1,2,3\r\n0\r\n\r\n" + HIDDEN,
    "chunk extension with a NUL": head(CHUNKED) + b"5;a\0b\r\n1,2,3\r\n0\r\n\r\n" + HIDDEN,
    "length in a trailer": head(CHUNKED) + chunked()[:-2] + b"Content-Length: 3\r\n\r\n" + HIDDEN,
    "no version": b"GET /ping\r\n" + HIDDEN,
    "version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "version 1.10": b"GET /ping HTTP/1.10\r\nHost: t\r\n\r\n" + HIDDEN,
    "NUL in the target": b"GET /pi\0ng HTTP/1.1\r\nHost: t\r\n\r\n" + HIDDEN,
    "control byte in the method": b"G\x01ET /ping HTTP/1.1\r\nHost: t\r\n\r\n" + HIDDEN,
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160) + HIDDEN,
    "noise": bytes(range(256)) * 4 + HIDDEN,
}


@pytest.mark.parametrize("case", SMUGGLED)
def test_a_frame_that_can_be_read_in_two_ways_is_never_two_requests(served: Server, case: str) -> None:
    """RFC 9112 sections 2.2, 5, 6.3 and 7.1: refused, and whatever follows on the connection is not read."""
    replies = talk(served, SMUGGLED[case])
    assert len(replies) <= 1, [reply.body for reply in replies]
    for reply in replies:
        assert 400 <= reply.status <= 501, reply
        assert reply.status in {400, 411, 413, 431, 501, 505}
        assert reply.headers["connection"] == "close"
        assert reply.error["message"]
        assert b"MaxPayloadInMB" not in reply.body


@pytest.mark.parametrize("case", SMUGGLED)
def test_a_good_request_before_it_is_answered_and_nothing_behind_it(served: Server, case: str) -> None:
    """The connection's earlier answers are kept, in order; a proxy's next client gets none."""
    first, *rest = talk(served, post(), SMUGGLED[case])
    assert first.status == 200
    assert len(rest) <= 1
    assert all(reply.status >= 400 for reply in rest)


@pytest.mark.parametrize(
    "fields",
    [
        [b"Content-Length: " + LENGTH, b"Content-Length: " + LENGTH],
        [b"Content-Length: " + LENGTH + b", " + LENGTH],
        [b"Content-Length: 000000" + LENGTH],
        [b"content-length:" + LENGTH + b" \t"],
    ],
)
def test_a_length_that_is_odd_but_clear_is_read_or_refused(served: Server, fields: list[bytes]) -> None:
    """RFC 9112 section 6.3: equal values may be taken as one; they may not be taken for another."""
    replies = talk(served, head(*fields) + GOOD, post())
    assert [reply.status for reply in replies] in ([200, 200], [400])


@pytest.mark.parametrize("whole", ["cut", "long"])
def test_a_length_that_lies(served: Server, whole: str) -> None:
    """Shorter than said, the body is refused; longer, the rest is no request."""
    if whole == "cut":
        (reply,) = talk(served, post(GOOD, length=b"1000"))
        assert reply.status == 400
        assert "1000" in reply.error["message"]
    else:
        first, second = talk(served, post(GOOD, length=str(len(GOOD) - 4).encode()))
        assert first.status in {200, 400}
        assert second.status == 400


def test_a_huge_length_is_refused_before_the_body(served: Server) -> None:
    (reply,) = talk(served, post(b"", length=b"1099511627776"))
    assert reply.status == 413
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB" in reply.error["message"]


def test_a_missing_length_is_a_request_without_a_body(served: Server) -> None:
    """RFC 9112 section 6.3; what follows is read as the next request, and is none."""
    first, *rest = talk(served, head() + GOOD)
    assert first.status == 204
    assert all(reply.status == 400 for reply in rest)


def test_endless_chunks_end_at_the_limit(served: Server) -> None:
    piece = f"{MEBIBYTE:x}\r\n".encode() + b"1,2,3,4,5\n" * (MEBIBYTE // 10) + b"123456" + b"\r\n"
    before = resident_bytes(served.workers[0])
    (reply,) = answers(conversation(served, [head(CHUNKED), *[piece] * 40]))
    assert reply.status == 413
    assert resident_bytes(served.workers[0]) - before < 100 * MEBIBYTE


def test_a_million_chunks_of_a_byte(served: Server) -> None:
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in GOOD) * 10
    (reply,) = talk(served, head(CHUNKED), *[chunks] * 2000, b"0\r\n\r\n")
    assert reply.status in {200, 413}


def test_an_endless_chunk_extension_is_cut(served: Server) -> None:
    """It counts for nothing, so nothing would end it."""
    replies = answers(conversation(served, [head(CHUNKED), b"5;", *[b"a" * MEBIBYTE] * 64], finish=False))
    assert [reply.status for reply in replies] in ([400], [413], [431])


def test_chunk_extensions_are_ignored(served: Server) -> None:
    size = f"{len(GOOD):x}".encode()
    (reply,) = talk(served, head(CHUNKED) + size + b';name="value"\r\n' + GOOD + b"\r\n0;last\r\n\r\n")
    assert reply.status == 200


def test_trailers_change_nothing(served: Server) -> None:
    """RFC 9110 section 6.5.1: they are no header fields."""
    trailers = b"Content-Type: image/png\r\nContent-Encoding: gzip\r\nAccept: image/png\r\n"
    (reply, second) = talk(served, head(CHUNKED) + chunked(GOOD)[:-2] + trailers + b"\r\n", post())
    assert (reply.status, second.status) == (200, 200), reply


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([head(*(f"X-{number}: {number}".encode() for number in range(2000)))], {431, 400}),
        ([head(b"X: " + b"x" * 100_000)], {431, 400}),
        ([head(b"x" * 100_000 + b": x")], {431, 400}),
        ([head(b"Content-Type: " + b"x" * 60_000)], {431, 400}),
        ([b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n"], {414, 400}),
        ([b"POST /invocations HTTP/1.1\r\n", *[b"X: " + b"x" * MEBIBYTE + b"\r\n"] * 64], {431, 400}),
        ([b"POST /invocations HTTP/1.1\r\nX: ", *[b"x" * MEBIBYTE] * 64], {431, 400}),
        ([b"x" * MEBIBYTE] * 64, {400, 414, 431}),
        ([head(CHUNKED) + b"0\r\n", *[b"T: " + b"x" * MEBIBYTE + b"\r\n"] * 64], {400, 431}),
        ([head(CHUNKED) + b"0\r\n", *[b"T: x\r\n" * 1000] * 64], {400, 431}),
    ],
    ids=[
        "many",
        "long",
        "long name",
        "long type",
        "long target",
        "endless",
        "endless line",
        "no lines",
        "trailer",
        "trailers",
    ],
)
def test_a_flood_of_headers_is_refused_and_kept_nowhere(served: Server, pieces: list[bytes], status: set[int]) -> None:
    before = resident_bytes(served.workers[0])
    replies = answers(conversation(served, pieces, finish=False))
    assert len(replies) == 1
    assert replies[0].status in status
    assert resident_bytes(served.workers[0]) - before < 16 * MEBIBYTE


def test_pipelined_requests_are_answered_in_order(served: Server) -> None:
    """Fast ones do not overtake slow ones, good ones go on after bad ones."""
    bodies = [GOOD * 2000, b"1,2\n", GOOD, b"", GOOD * 500, b"x"]
    replies = talk(served, b"".join(post(body) for body in bodies), b"GET /ping HTTP/1.1\r\nHost: t\r\n\r\n")
    assert [reply.status for reply in replies] == [200, 400, 200, 204, 200, 400, 200]
    assert [reply.body.count(b"\n") for reply in replies if reply.status == 200] == [2000, 1, 500, 0]


def test_a_thousand_pipelined_requests(served: Server) -> None:
    replies = talk(served, post() * 1000)
    assert [reply.status for reply in replies] == [200] * 1000
    assert len({reply.body for reply in replies}) == 1


def test_a_request_a_byte_at_a_time(served: Server) -> None:
    request = post() + head(CHUNKED) + chunked(GOOD[:5], GOOD[5:])
    replies = talk(served, *(request[place : place + 1] for place in range(len(request))))
    assert [reply.status for reply in replies] == [200, 200]


def test_a_client_that_never_reads_its_answers(served: Server) -> None:
    """What it has coming is bounded, and so is the memory it takes."""
    before = resident_bytes(served.workers[0])
    with socket.create_connection(("127.0.0.1", served.port), timeout=2) as client:
        request = post(GOOD * 2000)
        with pytest.raises(TimeoutError):
            client.sendall(request * 2000)
        assert_well(served)
        assert resident_bytes(served.workers[0]) - before < 64 * MEBIBYTE


def test_clients_that_leave_at_once(served: Server) -> None:
    """In every state of a request, by a reset too."""
    request = post(GOOD * 1000)
    for place in (0, 1, 20, len(request) // 2, len(request)):
        for reset in (False, True):
            with socket.create_connection(("127.0.0.1", served.port)) as client:
                client.sendall(request[:place])
                if reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: served.ping().status == 200, "not well", served)
