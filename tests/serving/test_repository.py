"""The models of a multi-model endpoint, as objects: real models, real threads, no server."""

from __future__ import annotations

import hashlib
import queue
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sagedock.contracts.hosting import HostingSettings
from sagedock.errors import (
    AlreadyLoaded,
    InsufficientResources,
    ModelError,
    NotFound,
    NotLoaded,
    SagedockError,
    UserError,
)
from sagedock.serving import loading, registry
from sagedock.serving.answer import Answer
from sagedock.serving.loading import Loaded
from sagedock.serving.multi_model import MultiModelEndpoint, Pieces, Use
from sagedock.serving.registry import Record, Registry
from sagedock.serving.repository import MOST_TRIES, SMALLEST_MODEL, Repository
from tests.serving.models import ARTEFACT, csv, records, write_constant

PATIENCE_SECONDS = 300
MODELS = 20
PLENTY = 1 << 30
BODY = csv(records(1))
SETTINGS = HostingSettings(multi_model=True)


def named(number: int) -> str:
    """Like the platform's names: a hash."""
    return hashlib.sha256(str(number).encode()).hexdigest()


class Reader:
    """Reads model directories, counts how often, and lets a test hold a read up."""

    def __init__(self) -> None:
        self.reads: list[Path] = []
        self.open = threading.Event()
        self.open.set()
        self.held: set[Path] = set()
        self.reached = threading.Event()

    def __call__(self, directory: Path) -> Loaded:
        self.reads.append(directory)
        if directory in self.held:
            self.reached.set()
            assert self.open.wait(PATIENCE_SECONDS)
        return loading.load(directory, None, SETTINGS)

    @contextmanager
    def holding(self, directory: Path) -> Iterator[None]:
        """Reads of `directory` wait until the block ends."""
        self.open.clear()
        self.reached.clear()
        self.held.add(directory)
        try:
            yield
        finally:
            self.held.discard(directory)
            self.open.set()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/opt/ml/models with models 0 to 19; each answers its number."""
    models = tmp_path_factory.mktemp("ml") / "models"
    for number in range(MODELS):
        write_constant(models / named(number) / "model", number)
    return models


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def make(root: Path, reader: Reader, tmp_path: Path) -> Iterator[Callable[..., Repository]]:
    made: list[Repository] = []

    def repository(budget: int = PLENTY, *, evicts: bool = False) -> Repository:
        made.append(Repository(root, budget, reader, Registry(tmp_path / "models.json"), evicts=evicts))
        return made[-1]

    yield repository
    for repository_made in made:
        repository_made.close()


@pytest.fixture
def repository(make: Callable[..., Repository]) -> Repository:
    return make()


def directory(root: Path, number: int) -> Path:
    return root / named(number) / "model"


def load(repository: Repository, *numbers: int) -> None:
    for number in numbers:
        repository.load(named(number), str(directory(repository.root, number)))


def ask(repository: Repository, number: int) -> float:
    with repository.using(named(number)) as loaded:
        return float(loaded.invoke(BODY, "text/csv", "text/csv").body)


def listed(repository: Repository, limit: str | None = None) -> list[str]:
    names: list[str] = []
    token: str | None = None
    while True:
        page, token = repository.list(token, limit)
        names += [model.name for model in page]
        if token is None:
            return names


def test_a_model_from_load_to_unload(repository: Repository, root: Path) -> None:
    load(repository, 3, 4)
    assert (ask(repository, 3), ask(repository, 4)) == (3.0, 4.0)
    assert repository.get(named(3)).url == str(directory(root, 3))
    assert listed(repository) == sorted([named(3), named(4)])
    repository.unload(named(3))
    assert listed(repository) == [named(4)]
    for call in (repository.get, repository.using, repository.unload):
        with pytest.raises(NotLoaded, match="POST /models"):
            call(named(3))
    load(repository, 3)
    assert ask(repository, 3) == 3.0


def test_urls_outside_are_refused(repository: Repository, root: Path) -> None:
    """contract F20: neither read nor told from what is not there."""
    outside = write_constant(root.parent / "elsewhere" / "model", 1)
    (root / "link").symlink_to(outside)
    (root / "loop").symlink_to(root / "loop")
    (root / "file").write_text("x")
    refused = ["", "model", "file:///etc", "s3://bucket/key", "/etc", "/nowhere", str(root), f"{root}/x\0y", "/" * 5000]
    for url in [*refused, str(outside), f"{root}/../elsewhere/model", f"{root}/link", f"{root}/loop"]:
        with pytest.raises(UserError) as caught:
            repository.load("a", url)
        assert not isinstance(caught.value, NotFound), url
    for url in (f"{root}/absent/model", f"{root}/file"):
        with pytest.raises(NotFound):
            repository.load("a", url)
    for name in ("link", "loop", "file"):
        (root / name).unlink()
    assert listed(repository) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc", "a/b", "a\0b", "a\nb", "\ud800", "x" * 1025])
def test_names_that_cannot_be(repository: Repository, root: Path, name: str) -> None:
    with pytest.raises(UserError, match="model_name is"):
        repository.load(name, str(directory(root, 0)))


def test_a_broken_model_is_its_senders_fault(repository: Repository, root: Path) -> None:
    """contract F04: and the name is free again."""
    broken = root / "broken" / "model"
    broken.mkdir(parents=True)
    with pytest.raises(UserError, match="cannot be used"):
        repository.load("broken", str(broken))
    (broken / ARTEFACT).write_bytes((directory(root, 1) / ARTEFACT).read_bytes()[:-20])
    with pytest.raises(UserError, match=ARTEFACT):
        repository.load("broken", str(broken))
    assert (listed(repository), repository.used) == ([], 0)
    (broken / ARTEFACT).write_bytes((directory(root, 1) / ARTEFACT).read_bytes())
    repository.load("broken", str(broken))


def test_of_parallel_loads_one_wins(repository: Repository, reader: Reader, root: Path) -> None:
    """contract F03, F11"""
    with ThreadPoolExecutor(8) as pool:
        with reader.holding(directory(root, 5)):
            loads = [pool.submit(load, repository, 5) for _ in range(8)]
            assert reader.reached.wait(PATIENCE_SECONDS)
        errors = [load.exception() for load in loads]
    assert [type(error) for error in errors if error] == [AlreadyLoaded] * 7
    with pytest.raises(AlreadyLoaded, match="unload it first"):
        load(repository, 5)
    assert reader.reads == [directory(root, 5)]


def test_a_slow_load_blocks_nothing(repository: Repository, reader: Reader, root: Path) -> None:
    """contract F12: what is being loaded for the first time is not listed either."""
    load(repository, 1)
    with ThreadPoolExecutor(1) as pool:
        with reader.holding(directory(root, 2)):
            slow = pool.submit(load, repository, 2)
            assert reader.reached.wait(PATIENCE_SECONDS)
            load(repository, 3)
            assert (ask(repository, 1), ask(repository, 3)) == (1.0, 3.0)
            assert listed(repository) == sorted([named(1), named(3)])
            repository.unload(named(3))
            with pytest.raises(NotLoaded):
                repository.using(named(2))
            assert not slow.done()
        slow.result(PATIENCE_SECONDS)
    assert ask(repository, 2) == 2.0


def test_unloading_waits_for_invocations_and_frees(repository: Repository) -> None:
    """contract F09, F19"""
    load(repository, 6)
    lease = repository.using(named(6))
    assert lease.loaded is not None
    model = weakref.ref(lease.loaded)
    with ThreadPoolExecutor(1) as pool:
        unloading = pool.submit(repository.unload, named(6))
        while named(6) in listed(repository):
            assert not unloading.done()
        with pytest.raises(NotLoaded):
            repository.using(named(6))
        with pytest.raises(AlreadyLoaded, match="being loaded or unloaded"):
            load(repository, 6)
        assert lease.loaded.invoke(BODY, "text/csv", "text/csv").body == b"6.0\n"
        assert not unloading.done()
        assert repository.used > 0
        lease.release()
        lease.release()
        unloading.result(PATIENCE_SECONDS)
    assert model() is None
    assert repository.used == 0


def test_the_budget_counts_bytes(make: Callable[..., Repository], reader: Reader) -> None:
    """contract F06"""
    repository = make(budget=2 * SMALLEST_MODEL)
    load(repository, 1, 2)
    with pytest.raises(InsufficientResources, match=r"unload another model.*SAGEDOCK_MODEL_MEMORY_IN_MB"):
        load(repository, 3)
    assert len(reader.reads) == 2, "the artefacts are not read when they cannot fit"
    assert repository.used == 2 * SMALLEST_MODEL
    repository.unload(named(1))
    load(repository, 3)
    assert (ask(repository, 2), ask(repository, 3)) == (2.0, 3.0)


def test_artefacts_larger_than_the_budget_are_not_read(make: Callable[..., Repository], reader: Reader, root: Path):
    huge = root / "huge" / "model"
    huge.mkdir(parents=True)
    with (huge / ARTEFACT).open("wb") as artefact:
        artefact.truncate(PLENTY + 1)
    for evicts in (False, True):
        with pytest.raises(InsufficientResources):
            make(evicts=evicts).load("huge", str(huge))
    assert reader.reads == []


def _exhaust(_: Path) -> Loaded:
    bytearray(1 << 62)
    raise AssertionError


def _fill(_: Path) -> Loaded:
    try:
        Path("/dev/full").write_text("x")
    except OSError as error:
        raise ModelError("cannot unpack") from error
    raise AssertionError


@pytest.mark.parametrize("read", [_exhaust, _fill])
def test_the_machine_runs_out(root: Path, read: Callable[[Path], Loaded]) -> None:
    """contract F06: no memory, no disk."""
    repository = Repository(root, PLENTY, read, Registry(None))
    with pytest.raises(InsufficientResources, match="unload another model"):
        load(repository, 1)
    assert (repository.used, listed(repository)) == (0, [])


def test_the_least_recently_used_makes_room(make: Callable[..., Repository], reader: Reader, root: Path) -> None:
    repository = make(budget=3 * SMALLEST_MODEL, evicts=True)
    load(repository, 1, 2, 3)
    ask(repository, 1)
    load(repository, 4)
    assert ask(repository, 1) == 1.0
    assert len(reader.reads) == 4, "model 2 went; the models in use stayed"
    assert listed(repository) == sorted(map(named, (1, 2, 3, 4)))
    assert ask(repository, 2) == 2.0
    assert reader.reads[4:] == [directory(root, 2)]
    assert ask(repository, 4) == 4.0
    assert ask(repository, 1) == 1.0
    assert len(reader.reads) == 5, "model 3 was the least recently used, not those that were asked"
    assert repository.used == 3 * SMALLEST_MODEL


def test_a_running_model_is_not_put_out(make: Callable[..., Repository]) -> None:
    repository = make(budget=SMALLEST_MODEL, evicts=True)
    load(repository, 1)
    with repository.using(named(1)), pytest.raises(InsufficientResources):
        load(repository, 2)
    load(repository, 2)
    with repository.using(named(2)) as loaded:
        with pytest.raises(InsufficientResources):
            ask(repository, 1)
        assert loaded.invoke(BODY, "text/csv", "text/csv").body == b"2.0\n"
    assert ask(repository, 1) == 1.0, "it stayed listed"


def test_a_model_comes_back_once_for_all_who_wait(make: Callable[..., Repository], reader: Reader, root: Path) -> None:
    repository = make(budget=SMALLEST_MODEL, evicts=True)
    load(repository, 1, 2)
    with ThreadPoolExecutor(16) as pool, reader.holding(directory(root, 1)):
        waiting = [repository.using(named(1)) for _ in range(50)]
        assert all(lease.loaded is None for lease in waiting)
        asked = [pool.submit(ask, repository, 1) for _ in range(16)]
        reader.open.set()
        assert [answer.result(PATIENCE_SECONDS) for answer in asked] == [1.0] * 16
        for lease in waiting:
            assert lease.arrival is not None
            assert lease.arrival.result(PATIENCE_SECONDS).invoke(BODY, "text/csv", "text/csv").body == b"1.0\n"
            lease.release()
    assert reader.reads.count(directory(root, 1)) == 2
    repository.unload(named(1))


def test_a_model_that_cannot_come_back_is_forgotten(make: Callable[..., Repository], root: Path) -> None:
    repository = make(budget=SMALLEST_MODEL, evicts=True)
    gone = write_constant(root / "gone" / "model", 1)
    repository.load("gone", str(gone))
    load(repository, 2)
    (gone / ARTEFACT).unlink()
    with pytest.raises(NotLoaded, match="could not be read again"):
        repository.using("gone").__enter__()
    assert listed(repository) == [named(2)]


def test_a_new_worker_restores_the_models(make: Callable[..., Repository], reader: Reader, root: Path) -> None:
    """The first dies without a word; an invocation of a model that is being restored waits for it."""
    kept = write_constant(root / "vanished" / "model", 1)
    first = make()
    load(first, 1, 2, 3)
    first.load("vanished", str(kept))
    first.unload(named(3))
    (kept / ARTEFACT).unlink()
    second = make()
    with reader.holding(directory(root, 2)):
        second.restore()
        assert set(listed(second)) >= {named(1), named(2)}
        assert ask(second, 1) == 1.0
        lease = second.using(named(2))
        assert lease.loaded is None
    with lease as loaded:
        assert loaded.invoke(BODY, "text/csv", "text/csv").body == b"2.0\n"
    with suppress(NotLoaded):
        second.using("vanished").__enter__()
    assert set(listed(second)) == {named(1), named(2)}
    assert second.used == 2 * SMALLEST_MODEL
    with pytest.raises(AlreadyLoaded):
        load(second, 1)


def test_a_model_that_ends_the_process_is_not_restored_for_ever(
    make: Callable[..., Repository], tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Registry(tmp_path / "models.json")
    notes.write(
        Record(named(n), str(directory(root, n)), SMALLEST_MODEL, tries) for n, tries in ((1, 0), (2, MOST_TRIES))
    )
    repository = make()
    repository.restore()
    assert listed(repository) == [named(1)]
    assert ask(repository, 1) == 1.0
    assert "ended 3 times while it was being restored" in caplog.text


def test_tries_are_noted_before_and_forgotten_after(make: Callable[..., Repository], reader: Reader, tmp_path: Path):
    notes = Registry(tmp_path / "models.json")
    load(make(), 1)
    assert [record.tries for record in notes.read()] == [0]
    second = make()
    with reader.holding(reader.reads[0]):
        second.restore()
        assert reader.reached.wait(PATIENCE_SECONDS)
        assert [record.tries for record in notes.read()] == [1]
    assert ask(second, 1) == 1.0
    second.close()
    assert [record.tries for record in notes.read()] == [0]


def test_a_registry_lasts_as_long_as_its_server(root: Path) -> None:
    with registry.new_registry() as file:
        repository = Repository.of(HostingSettings(multi_model=True, model_memory_bytes=PLENTY), root, file, None)
        load(repository, 1)
        assert [record.name for record in Registry(file).read()] == [named(1)]
        file.write_bytes(b"[{")
        assert Registry(file).read() == []
        repository.close()
    assert not file.parent.exists()


def test_a_registry_that_cannot_be_written_costs_no_service(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    repository = Repository(root, PLENTY, Reader(), Registry(Path("/proc/none/models.json")))
    load(repository, 1)
    assert ask(repository, 1) == 1.0
    assert "will not restore" in caplog.text


def test_pages_hold_every_model_once(repository: Repository) -> None:
    """contract F10: also while models come and go between two pages."""
    load(repository, *range(10))
    names = listed(repository)
    for limit in (None, "1", "3", "10", "100"):
        assert listed(repository, limit) == names == sorted(names)
    page, token = repository.list(None, "4")
    repository.unload(page[0].name)
    repository.unload(page[3].name)
    assert [model.name for model in repository.list(token)[0]] == names[4:]


@pytest.mark.parametrize("token", ["", "0", "12", "-1", "x", "Zm9v", "é", "9" * 1000])
def test_a_token_that_no_page_gave(repository: Repository, token: str) -> None:
    """contract 5.3: 400."""
    with pytest.raises(UserError, match="next_page_token is"):
        repository.list(token)


@pytest.mark.parametrize("limit", ["", "0", "101", "-1", "1e1", "\N{ARABIC-INDIC DIGIT THREE}"])
def test_a_limit_that_cannot_be(repository: Repository, limit: str) -> None:
    with pytest.raises(UserError, match="limit is"):
        repository.list(None, limit)


@pytest.mark.parametrize(("evicts", "budget"), [(False, PLENTY), (False, 7), (True, 7)])
def test_no_answer_is_lost_or_mixed_up(make: Callable[..., Repository], *, evicts: bool, budget: int) -> None:
    """Issue 3, item 2: threads load, unload and invoke twenty models; each answer is its model's own."""
    repository = make(budget if budget == PLENTY else budget * SMALLEST_MODEL, evicts=evicts)
    unexpected: list[BaseException] = []
    answers = [0] * 8

    def hammer(thread: int) -> None:
        chance = random.Random(thread)
        for _ in range(250):
            number, what = chance.randrange(MODELS), chance.random()
            try:
                if what < 0.15:
                    load(repository, number)
                elif what < 0.25:
                    repository.unload(named(number))
                else:
                    assert ask(repository, number) == number
                    answers[thread] += 1
            except (NotLoaded, AlreadyLoaded, InsufficientResources):
                pass
            except (SagedockError, AssertionError, KeyError) as error:
                unexpected.append(error)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(hammer, thread) for thread in range(8)]:
            done.result()
    assert unexpected == []
    assert min(answers) > 0
    for name in listed(repository):
        repository.unload(name)
    assert repository.used == 0


def test_paths_of_invocations(repository: Repository, root: Path) -> None:
    """contract F08, F13, F20"""
    endpoint = MultiModelEndpoint(repository)
    assert endpoint.ready
    served = ["/models/a/invoke", "/models/a%2fb/invoke", "/models//invoke", "/models/invoke/invoke"]
    assert all(endpoint.serves(path) for path in served)
    others = [
        "/models/invoke",
        "/models/a",
        "/models/a/b/invoke",
        "/models/a//invoke",
        "/invocations",
        "/models",
        "/xmodels/a/invoke",
        "/",
    ]
    assert not any(endpoint.serves(path) for path in others)
    repository.load("ein Modell", str(directory(root, 7)))
    answers: list[Answer] = []

    def action(use: Use) -> None:
        with use:
            answers.append(use.invoke(BODY, "text/csv", "text/csv"))

    endpoint.when_ready("/models/ein%20Modell/invoke", action)
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"7.0\n")]
    for path in ("/models/absent/invoke", "/models/..%2f..%2fetc/invoke", "/models/%ff/invoke"):
        assert endpoint.at_once(path, len(BODY)) is None
        with pytest.raises(NotLoaded):
            endpoint.when_ready(path, action)


def test_an_invocation_that_came_before_the_unloading_is_answered(repository: Repository) -> None:
    """contract F19: also one that still waits for a thread."""
    load(repository, 1)
    waiting: queue.Queue[Use] = queue.Queue()
    MultiModelEndpoint(repository).when_ready(f"/models/{named(1)}/invoke", waiting.put)
    with ThreadPoolExecutor(1) as pool:
        unloading = pool.submit(repository.unload, named(1))
        while named(1) in listed(repository):
            assert not unloading.done()
        with waiting.get_nowait() as use:
            assert use.invoke(BODY, "text/csv", "text/csv").body == b"1.0\n"
            assert not unloading.done()
        unloading.result(PATIENCE_SECONDS)


@pytest.mark.parametrize("end", ["exhausted", "closed early", "closed before it began", "failed"])
def test_an_answer_in_pieces_keeps_its_model(repository: Repository, end: str) -> None:
    """contract F19, for answers of many rows: until the last piece is made, or nobody wants more of them."""
    load(repository, 1)
    pieces = iter([b"1", b"2"]) if end != "failed" else map(int, ["1", "x"])
    with (lease := repository.using(named(1))):
        held = Pieces(pieces, lease.again())
    with ThreadPoolExecutor(1) as pool:
        unloading = pool.submit(repository.unload, named(1))
        while named(1) in listed(repository):
            assert not unloading.done()
        if end != "closed before it began":
            next(held)
        assert not unloading.done()
        if end == "exhausted":
            assert list(held) == [b"2"]
        elif end == "failed":
            with pytest.raises(ValueError, match="invalid literal"):
                next(held)
        else:
            held.close()
            held.close()
        unloading.result(PATIENCE_SECONDS)


def test_nobody_waits_in_a_thread_for_a_model_that_comes_back(
    make: Callable[..., Repository], reader: Reader, root: Path
) -> None:
    repository = make(budget=SMALLEST_MODEL, evicts=True)
    endpoint = MultiModelEndpoint(repository)
    load(repository, 1, 2)
    answers: queue.Queue[bytes] = queue.Queue()

    def action(use: Use) -> None:
        with use:
            answers.put(use.invoke(BODY, "text/csv", "text/csv").body)

    with reader.holding(directory(root, 1)):
        for _ in range(3):
            endpoint.when_ready(f"/models/{named(1)}/invoke", action)
        assert reader.reached.wait(PATIENCE_SECONDS)
        assert answers.empty()
    assert [answers.get(timeout=PATIENCE_SECONDS) for _ in range(3)] == [b"1.0\n"] * 3
    endpoint.when_ready(f"/models/{named(1)}/invoke", action)
    assert answers.get_nowait() == b"1.0\n"
    repository.unload(named(1))
