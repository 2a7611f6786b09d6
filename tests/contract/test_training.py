"""The training contract, statements B and C of its checklist, for every algorithm."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sagedock import algorithms
from sagedock.contracts import failure
from sagedock.contracts.paths import Paths
from sagedock.contracts.training import TrainingJob
from tests.contract.samples import Sample
from tests.platform import PATIENCE_SECONDS, Job


def artefacts(job: Job) -> dict[str, str]:
    """Name and sha256 of the model's files."""
    return job.manifest()["files"]


def test_a_job_of_plain_strings_succeeds(make_job) -> None:
    """A01, B01, B26, C01, C04, C08, as a process without AWS variables, where output did not exist before."""
    job = make_job()
    done = job.process()
    assert done.returncode == 0, done.stderr
    assert artefacts(job)
    assert job.failure == ""
    files = list(job.model.rglob("*"))
    assert not any(file.is_symlink() for file in files)
    assert (job.output_data / "report.html").exists()
    assert job.metrics()


def spelled(integer: str, count: str, real: str | None, value: str) -> dict[str, str]:
    """Two hyperparameters, the second one where the algorithm has it."""
    return {integer: count} if real is None else {integer: count, real: value}


def test_quoted_values_and_spellings_of_numbers_give_the_same_model(make_job, sample) -> None:
    """B02, B03, B04: the model of every spelling is the same to the byte."""
    (name, count), (real_name, real) = sample.integer, sample.real or (None, 0.0)
    plain = make_job("plain", **spelled(name, str(count), real_name, str(real)))
    assert plain.run() == 0, plain.failure
    for number, texts in enumerate(
        [
            (f"{count}.0", f"{real:e}"),
            (f'"{count}"', f" {real} "),
            (f'"\\"{count}\\""', f'"{real}"'),
        ]
    ):
        job = make_job(f"spelling-{number}", **spelled(name, texts[0], real_name, texts[1]))
        assert job.run() == 0, job.failure
        assert artefacts(job) == artefacts(plain)


def test_quoted_algorithm_name(make_job, algorithm, sample) -> None:
    """B02 for sagedock_algorithm itself."""
    assert make_job(sagedock_algorithm=f'"{algorithm.name}"').run() == 0


def test_the_environment_chooses_before_the_hyperparameter(make_job, algorithm, sample) -> None:
    """Issue item 2."""
    job = make_job(sagedock_algorithm="no-such-thing")
    job.environment = {"SAGEDOCK_ALGORITHM": algorithm.name}
    assert job.run() == 0


def test_platform_keys_are_tolerated(make_job) -> None:
    """B06; script mode's sagemaker_program is the one key that means something."""
    given = {
        "sagemaker_region": '"us-west-2"',
        "sagemaker_estimator_class_name": "Estimator",
        "sagemaker_job_name": "x",
        "_unheard_of": "1",
        "default_user_module_name": "train",
    }
    assert make_job(**given).run() == 0


def test_an_unknown_hyperparameter_is_named(make_job) -> None:
    """B07."""
    job = make_job(zzz_unknown="1")
    assert job.run() == 1
    assert "zzz_unknown" in job.failure
    assert "no hyperparameter of this name" in job.failure


def test_an_out_of_range_value_fails_before_data_is_read(make_job, sample) -> None:
    """B08: the channel would be refused too, but it is not reached."""
    name, value = sample.out_of_range
    job = make_job(**{name: value}).add_channel("train", sample.bad_channel, ContentType=sample.content_type)
    assert job.run() == 1
    assert name in job.failure
    assert value in job.failure
    assert "is not in" in job.failure


@pytest.mark.parametrize("content", [None, "", "{}", "null"])
def test_no_hyperparameters_use_defaults_or_name_what_is_required(
    make_job, algorithm, sample, content: str | None
) -> None:
    """B09."""
    job = make_job()
    file = job.config / "hyperparameters.json"
    file.unlink() if content is None else file.write_text(content)
    job.environment = {"SAGEDOCK_ALGORITHM": algorithm.name}
    required = [p.name for p in algorithm.hyperparameters.parameters if p.required]
    assert job.run() == (1 if required else 0)
    assert all(f"Missing required hyperparameter: {name}" in job.failure for name in required)


def test_local_mode_shape(make_job, sample) -> None:
    """B10, B23, B25, H01, H07: no distribution, no wrapper, hosts of the SDK's making."""
    job = make_job()
    job.write_config(
        "inputdataconfig",
        {name: {"TrainingInputMode": "File", "ContentType": sample.content_type} for name in sample.channels},
    )
    job.write_config("resourceconfig", {"current_host": "algo-1-x7k2p", "hosts": ["algo-1-x7k2p"]})
    assert job.run() == 0
    studio = make_job("studio")
    studio.environment = {"SM_STUDIO_LOCAL_MODE": "True"}
    resources = {"current_host": "sagemaker-local", "hosts": ["sagemaker-local"], "network_interface_name": "ethwe"}
    studio.write_config("resourceconfig", resources)
    assert studio.run() == 0


def test_current_platform_shape(make_job) -> None:
    """B24, B27: groups, a null topology, unknown keys and files change nothing."""
    job = make_job()
    group = {"instance_group_name": "g", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
    job.write_config(
        "resourceconfig",
        {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "current_instance_type": "ml.m5.large",
            "current_group_name": "g",
            "instance_groups": [group],
            "network_interface_name": "eth0",
            "topology": None,
            "something_new": {"x": 1},
        },
    )
    for name in ("trainingjobconfig", "init-config", "debughookconfig", "profilerconfig"):
        job.write_config(name, {"s3DataType": "S3_PREFIX", "odd": [1, None]})
    job.write_config("metric-definition-regex", "[]")
    assert job.run() == 0


def test_fast_file_and_read_only_channels(make_job, sample) -> None:
    """B11: nothing is written into a channel."""
    job = make_job()
    for name in sample.channels:
        job.declare(name, ContentType=sample.content_type, TrainingInputMode="FastFile")
    before = {file: file.stat().st_mtime_ns for file in sorted(job.data.rglob("*"))}
    for file in (*job.data.rglob("*"), job.data):
        file.chmod(0o555 if file.is_dir() else 0o444)
    assert job.run() == 0
    assert {file: file.stat().st_mtime_ns for file in sorted(job.data.rglob("*"))} == before


def test_content_type_with_parameters_and_case(make_job, sample) -> None:
    """B12."""
    job = make_job()
    for name in sample.channels:
        job.declare(name, ContentType=f"{sample.content_type.upper()}; charset=utf-8")
    assert job.run() == 0


def test_manifest_files_and_undeclared_channels_are_ignored(make_job, caplog) -> None:
    """B13, B14."""
    job = make_job()
    (job.data / "train-manifest").write_text("[]")
    (job.data / "checkpoints-manifest").write_text("[]")
    job.add_channel("code", {"x.py": "raise SystemExit(9)"}).add_channel("sm_drivers", {"sm_train.sh": "exit 9"})
    assert job.run() == 0
    assert "channel 'code'" in caplog.text


def test_nested_files_are_read_and_empty_and_hidden_ones_skipped(make_job, sample) -> None:
    """B15: the model is that of the flat channel."""
    flat, nested = make_job("flat"), make_job("nested")
    for name, files in sample.channels.items():
        deep = {f"a/b/{file}": content for file, content in files.items()}
        extra = {"a/empty.csv": b"", ".hidden": b"\x00junk", ".folder/x": b"junk", "zero": b""}
        nested.add_channel(name, {**deep, **extra}, ContentType=sample.content_type)
    assert flat.run() == nested.run() == 0
    assert artefacts(flat) == artefacts(nested)


def test_linked_folders_are_read_once(make_job, sample, tmp_path: Path) -> None:
    """B15 for a local run: a channel made of links, one of them leading back."""
    flat, linked = make_job("flat"), make_job("linked")
    elsewhere = tmp_path / "elsewhere"
    (linked.data / "train").rename(elsewhere)
    (linked.data / "train").mkdir()
    (linked.data / "train" / "rows").symlink_to(elsewhere)
    (elsewhere / "circle").symlink_to(linked.data / "train")
    assert flat.run() == linked.run() == 0
    assert artefacts(flat) == artefacts(linked)


def test_a_missing_required_channel_is_named(make_job) -> None:
    """B16, bad input: missing channel."""
    job = make_job()
    job.write_config("inputdataconfig", {})
    assert job.run() == 1
    assert job.failure.startswith("UserError: Missing required channel: train")


def test_an_empty_required_channel_fails_clearly(make_job, sample) -> None:
    """B17, bad input: empty channel."""
    job = make_job().add_channel("train", {}, ContentType=sample.content_type)
    assert job.run() == 1
    assert "No data in train channel path" in job.failure


def test_a_declared_channel_that_is_not_there(make_job, sample) -> None:
    """Bad input: the directory was never mounted."""
    job = make_job()
    job.add_channel("train", {}, ContentType=sample.content_type)
    (job.data / "train").rmdir()
    assert job.run() == 1
    assert str(job.data / "train") in job.failure
    assert "does not exist" in job.failure


def feed(fifo: Path, content: bytes) -> None:
    """Write `content` into a FIFO as SageMaker does: it blocks until there is a reader."""
    fifo.write_bytes(content)


@pytest.mark.parametrize("late", [False, True])
def test_pipe_mode_reads_the_fifo_to_its_end(make_job, sample, late: bool) -> None:
    """B19, and B20 for a FIFO that appears two seconds late: the model is that of File mode."""
    if sample.pipe_type is None:
        pytest.skip("the algorithm reads no pipes")
    plain, piped = make_job("file"), make_job("pipe")
    feeders = []
    for name, files in sample.channels.items():
        piped.declare(name, ContentType=sample.pipe_type, TrainingInputMode="Pipe")
        fifo = piped.data / f"{name}_0"
        body = b"".join(text.encode() if isinstance(text, str) else text for text in files.values())

        def give(fifo: Path = fifo, body: bytes = body) -> None:
            if late:
                time.sleep(2)
            os.mkfifo(fifo)
            feed(fifo, body)

        feeders.append(threading.Thread(target=give, daemon=True))
    for feeder in feeders:
        feeder.start()
    assert piped.run() == plain.run() == 0, piped.failure
    for feeder in feeders:
        feeder.join(PATIENCE_SECONDS)
    assert artefacts(piped) == artefacts(plain)


def test_a_type_without_pipe_support_is_refused_in_pipe_mode(make_job, algorithm, sample) -> None:
    """B22: the text says what the channel reads."""
    train = algorithm.channels[0]
    file_only = [kind for kind in train.content_types if kind not in train.pipe_content_types]
    for number, kind in enumerate(file_only):
        job = make_job(f"job-{number}").declare("train", ContentType=kind, TrainingInputMode="Pipe")
        assert job.run() == 1
        told = f"content type {kind} in" if train.pipe_content_types else "supports File mode only"
        assert "Pipe mode" in job.failure
        assert told in job.failure


def test_an_unknown_content_type_is_refused(make_job) -> None:
    """Bad input: unknown content type."""
    job = make_job().declare("train", ContentType="application/x-unknown")
    assert job.run() == 1
    assert "Channel configuration for 'train' channel is not supported" in job.failure
    assert "application/x-unknown" in job.failure


def test_ranks_of_eleven_hosts_are_unique(tmp_path: Path) -> None:
    """B28: lexicographic or not, the rank follows one rule on every host."""
    hosts = [f"algo-{number}" for number in range(1, 12)]
    ranks = set()
    for number, host in enumerate(hosts):
        job = Job(tmp_path / str(number))
        given = sorted(hosts) if number % 2 else list(reversed(hosts))
        job.write_config("resourceconfig", {"current_host": host, "hosts": given})
        ranks.add(TrainingJob.read(Paths(job.base), {}).rank)
    assert ranks == set(range(11))


@pytest.mark.parametrize("host", ["algo-1", "algo-2"])
def test_several_hosts_fail_at_once_on_every_host(make_job, sample, algorithm, host: str) -> None:
    """Issue item 2, B18, C09, C18, of an algorithm for one host: no hang, no model, and the reason."""
    if algorithm.hosts == "many":
        pytest.skip("it trains on several hosts")
    job = make_job().add_channel("train", {}, ContentType=sample.content_type)
    job.write_config("resourceconfig", {"current_host": host, "hosts": ["algo-1", "algo-2"]})
    assert job.run() == 1
    assert "2 hosts (algo-1, algo-2)" in job.failure
    assert "InstanceCount to 1" in job.failure
    assert not job.model.exists()


def test_bad_data_leaves_cause_and_remedy_first(make_job, sample) -> None:
    """C02, C03: UTF-8, one line that says it, under 1,024 characters, no stack trace; a non-zero exit."""
    job = make_job().add_channel("train", sample.bad_channel, ContentType=sample.content_type)
    done = job.process()
    assert done.returncode == 1
    first = job.failure.splitlines()[0]
    assert first.startswith("UserError: ")
    assert next(iter(sample.bad_channel)) in first
    assert len(job.failure) < 1024
    assert "Traceback" not in job.failure
    assert "UserError: " in done.stderr
    assert list(job.model.iterdir()) == []


def test_a_library_s_stack_trace_stays_in_the_log() -> None:
    """C03: of an error that is not ours the first line is told."""
    told = failure.reason(ValueError("Check failed: order\nStack trace:\n  [bt] (0) libxgboost.so(+0x11031e)"))
    assert told == "AlgorithmError: unexpected ValueError: Check failed: order; see the log for where it happened"


def test_a_lack_of_memory_is_no_defect_and_has_a_remedy() -> None:
    """C03: NumPy says how much was asked for; others say nothing."""
    asked = "Unable to allocate 16.0 TiB for an array"
    told = failure.reason(MemoryError(asked))
    assert told.startswith(f"PlatformError: no memory is left ({asked}): take an instance with more")
    assert failure.reason(MemoryError()).startswith("PlatformError: no memory is left (MemoryError): ")


@pytest.mark.parametrize(
    "text", [None, "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of 1.00 GiB"]
)
def test_torch_s_lack_of_memory_is_told_as_any_other(text: str | None) -> None:
    """C03: the processor's as torch tells it, a GPU's in torch's words."""
    torch = pytest.importorskip("torch")
    if text is None:
        with pytest.raises(RuntimeError) as caught:
            torch.empty(10**14)
        text = str(caught.value)
    told = failure.reason(RuntimeError(text))
    assert told.startswith(f"PlatformError: no memory is left ({text.splitlines()[0]}): take an instance with more")


def test_a_failure_file_that_cannot_be_removed_is_named(make_job) -> None:
    """C04's counterpart: something else stands where the failure file belongs."""
    job = make_job()
    (job.base / "output" / "failure").mkdir(parents=True)
    done = job.process()
    assert done.returncode == 1
    assert f"PlatformError: cannot write {job.base / 'output' / 'failure'}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_content_type_that_is_none_names_its_channel(make_job, sample) -> None:
    """B12: what does not parse as a media type."""
    for given in ("garbage", 5):
        job = make_job().add_channel("train", sample.channels["train"], ContentType=given)
        assert job.run() == 1
        assert job.failure.startswith(f"UserError: channel 'train': ContentType '{given}' is not a media type")


def test_the_failure_file_of_an_earlier_attempt_goes(make_job, algorithm, sample) -> None:
    """C01 after a restart of the container."""
    job = make_job(zzz_unknown="1")
    assert job.run() == 1
    job.write_config("hyperparameters", {**sample.hyperparameters, "sagedock_algorithm": algorithm.name})
    assert job.run() == 0
    assert job.failure == ""


def feed_without_end(job: Job, sample: Sample) -> None:
    """Give the sample's endless channel by a pipe that has more to say, until its reader is gone."""
    assert sample.endless is not None
    job.declare(sample.endless, ContentType=sample.pipe_type, TrainingInputMode="Pipe")
    fifo = job.data / f"{sample.endless}_0"
    os.mkfifo(fifo)
    content = "".join(map(str, sample.channels[sample.endless].values())).encode()

    def feed() -> None:
        with suppress(BrokenPipeError), fifo.open("wb") as pipe:
            while True:
                pipe.write(content)

    threading.Thread(target=feed, daemon=True).start()


def test_sigterm_ends_a_job_with_a_model(make_job, sample) -> None:
    """C05, C07: exit 0 in time, a whole model, and no process left."""
    job = make_job(**sample.long)
    if sample.endless is not None:
        feed_without_end(job, sample)
    with job.start() as process:
        assert process.stdout is not None
        for line in process.stdout:
            if sample.progress in line:
                break
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, log
    assert artefacts(job)
    children = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, check=False)
    assert children.stdout == b""


def test_each_advertised_metric_matches_once_per_round(make_job, algorithm, sample, capsys) -> None:
    """C14: the regexes find a finite number in the log, once a round, whatever SageMaker makes of TAB."""
    assert make_job().run() == 0
    shown = [line.replace("\t", "#011") for line in capsys.readouterr().out.splitlines()]
    matched = {}
    for metric in algorithm.metrics:
        values = [float(found[1]) for line in shown if (found := re.search(metric.regex, line))]
        if values:
            matched[metric.name] = values
    assert set(sample.metrics) <= set(matched)
    assert all(len(values) == sample.rounds for values in matched.values())


def test_outputs_are_open_to_everybody(make_job) -> None:
    """C19: a container's root leaves nothing that the caller cannot delete, even under a tight umask."""
    job = make_job()
    previous = os.umask(0o077)
    try:
        assert job.run() == 0
    finally:
        os.umask(previous)
    for root in (job.model, job.base / "output"):
        for path in (root, *root.rglob("*")):
            wanted = 0o777 if path.is_dir() else 0o666
            assert path.stat().st_mode & 0o777 == wanted, path


def test_no_algorithm_chosen_lists_the_names(make_job) -> None:
    """Issue item 2."""
    job = make_job(sagedock_algorithm=None)
    assert job.run() == 1
    assert "SAGEDOCK_ALGORITHM" in job.failure
    assert all(name in job.failure for name in algorithms.names())


def test_the_device_gpu_fails_clearly_without_one(make_job) -> None:
    """C17: auto falls back to the CPU, gpu does not, another word is refused."""
    for device, code, text in (("auto", 0, ""), ("gpu", 1, "no GPU is visible"), ("tpu", 1, "auto, cpu, gpu")):
        job = make_job(device)
        job.environment = {"SAGEDOCK_DEVICE": device}
        assert job.run() == code
        assert text in job.failure


@pytest.mark.parametrize("file", ["hyperparameters", "inputdataconfig", "resourceconfig"])
@pytest.mark.parametrize("content", ["{", "[1]", '"text"'])
def test_a_configuration_file_that_makes_no_sense_is_named(make_job, file: str, content: str) -> None:
    """House rule 4."""
    job = make_job()
    job.write_config(file, content)
    assert job.run() == 1
    assert f"{file}.json" in job.failure


def test_the_manifest_says_what_the_model_is(make_job, algorithm, sample) -> None:
    """Issue item 2: algorithm, versions, hyperparameters, feature count, class names, checksums."""
    job = make_job()
    assert job.run() == 0
    manifest = job.manifest()
    assert manifest["algorithm"] == algorithm.name
    assert {"sagedock", "python", "numpy"} <= manifest["versions"].keys()
    assert manifest["hyperparameters"] == {
        name: value for name, value in sample.hyperparameters.items() if not name.startswith("sagedock_")
    }
    assert manifest["model"]
    assert all(len(checksum) == 64 for checksum in manifest["files"].values())


def test_the_same_job_twice_gives_the_same_model(make_job) -> None:
    """Determinism by seed: nothing of time, path or process enters a model."""
    first, second = make_job("first"), make_job("second")
    assert first.run() == second.run() == 0
    assert artefacts(first) == artefacts(second)


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("directory", ["model", "output"])
def test_a_full_disk_is_named_and_leaves_nothing_half_written(make_job, small_disk: Path, directory: str) -> None:
    """Bad input: a full disk. Requirement 27: such a job never counts as completed."""
    (small_disk / "filler").write_bytes(b"x" * 60_000)
    job = make_job()
    (job.base / directory).symlink_to(small_disk)
    done = job.process()
    assert done.returncode == 1
    assert "the disk is full" in done.stderr
    roomy = make_job("roomy")
    assert roomy.run() == 0
    for file in small_disk.rglob("*"):
        if file.suffix == ".json":
            json.loads(file.read_text())
        elif file.is_file() and file.name not in {"filler", "failure"}:
            assert file.read_bytes() == (roomy.model / file.name).read_bytes()
