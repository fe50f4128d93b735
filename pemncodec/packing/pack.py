"""The pipeline: networks to one file, compared with what went in before the file is in its place.

The command and every function of `packing.save` go through it:

    read -> recognise -> convert -> assemble -> encode -> write -> compare
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..checkpoints.draft import Draft
from ..checkpoints.metadata import FAMILY, MASK_RULE
from ..checkpoints.reading import beside
from ..checkpoints.reading.load import CheckpointFile
from ..checkpoints.reading.mapped import Watch
from ..checkpoints.recognise import draft_of
from ..coding.delta.base_files import BaseFiles, Bases
from ..coding.encoder import encode_file
from ..common.progress import Progress, silent
from ..container.accounting import sizes
from ..container.manifest.generated import GeneratedRow
from ..container.opening import PathOrBytes
from ..container.writer import EncodedFile
from ..errors import CheckpointError, NetworkError
from ..loading.compare import Comparison, compare, compare_network
from ..loading.file import PemnFile
from ..loading.recheck.aside import Aside
from ..loading.recheck.compare import Recheck, recheck
from .assemble import UNKNOWN, assemble
from .job import Job, Source, Stages, quiet
from .lossy.convert import convert
from .networks import compare_sources, loaded, prepared, told_apart
from .options import Seeding
from .output import Output, whole_output
from .report import PackReport, base_notes
from .tasks import draft_of_tasks


def pack_to_file(job: Job, path: Output, *, overwrite: bool = True, stages: Stages = quiet) -> PackReport:
    """Write a `.pemn` file, whole or not at all.

    Raises:
        CheckpointError, NetworkError: a source cannot be packed.
        MismatchError: the file is not what went in; it is not written.
        OutputExistsError, OutputError: of `path`.
        FormatError, BaseFileError, FileAccessError: a base, or the file that tasks are added to, cannot be read.
    """
    with _Packing(job) as packing, whole_output(path, job.base, overwrite=overwrite) as temporary:
        with stages("packing") as progress:
            encoded = packing.encode(progress, temporary.parent)
        encoded.write(temporary)
        with stages("verifying") as progress:
            return packing.finish(temporary, progress)


def pack_to_bytes(job: Job, *, stages: Stages = quiet) -> tuple[bytes, PackReport]:
    """Return the bytes of a `.pemn` file; errors as `pack_to_file`."""
    with _Packing(job) as packing:
        with stages("packing") as progress:
            data = packing.encode(progress, None).to_bytes()
        with stages("verifying") as progress:
            return data, packing.finish(data, progress)


class _Packing:
    """A job in progress; what it reads is closed with it."""

    def __init__(self, job: Job) -> None:
        self._job = job = told_apart(job)
        compared = job.verify and not job.lossy.lossy
        paths = [one.path for one in job.sources.values() if isinstance(one, CheckpointFile) and not one.unsafe]
        self._second = Aside(paths if compared else [])
        self._watch = Watch(*(path for one in job.files for path in _watched(one.path)))

    def __enter__(self) -> _Packing:
        self._second.__enter__()
        try:
            self._read()
        except BaseException:
            self._second.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._second.__exit__()

    def _read(self) -> None:
        """Read and recognise the sources, and convert what they hold."""
        job = self._job
        files = {"masks": job.masks, "backbone": job.backbone}
        self._reading = replace(job.reading, **{name: file.load() for name, file in files.items() if file is not None})
        found = {name: loaded(source, job.base) for name, source in job.sources.items()}
        with self._naming():
            self._made = prepared(job, found, self._reading, job.seeding)
            if self._made is not None:
                self._drafts = self._made.drafts
            elif job.add_to is None and list(found) == [""]:
                self._drafts = {"": draft_of(found[""], self._reading)}
                self._keep_beside(job.sources[""])
                self._draft, self._metadata = convert(self._drafts[""], job.lossy), dict(job.metadata)
            else:
                if job.lossy.lossy:
                    raise CheckpointError("tasks cannot be converted: convert each network by itself")
                draft, inherited, self._drafts = draft_of_tasks(found, self._reading, job.add_to, job.max_bytes)
                self._draft, self._metadata = draft, inherited | dict(job.metadata)

    def _keep_beside(self, source: Source) -> None:
        draft = self._drafts[""]
        if isinstance(source, CheckpointFile):
            draft.safetensors, notes = beside.safetensors_metadata(source.path)
            draft.files = beside.included(source.path, self._job.include)
            draft.notes.extend(notes)

    def encode(self, progress: Progress, folder: Path | None) -> EncodedFile:
        """Return the file, ready to be written, and keep its report."""
        with self._naming():
            job, made = self._job, self._made
            if made is None:
                encoded, self._report = pack_draft(
                    self._draft,
                    metadata=self._metadata,
                    progress=progress,
                    folder=folder,
                    base=job.base,
                    seeding=job.seeding,
                    seekable=job.storing.seekable,
                )
                return encoded
            network = made.network
            encoded = encode_file(network, progress, folder, job.base, seekable=job.storing.seekable)
            self._report = PackReport(
                family=network.metadata.get(FAMILY, "MaskedNetwork"),
                mask_rule=network.metadata.get(MASK_RULE, ""),
                keep=None,
                layers=len(network.layers),
                findings=[],
                notes=made.notes + base_notes(encoded.manifest, job.base),
                dropped=[],
                sizes=sizes(encoded.manifest, encoded.size),
                conversions=[f"{one.done}; largest error {one.error}" for one in made.conversions],
                tasks=list(network.tasks),
            )
            return encoded

    def finish(self, file: PathOrBytes, progress: Progress) -> PackReport:
        """Compare the file with the sources, and see that these are as they were; return the report."""
        report = self._report
        with self._naming():
            if self._job.verify:
                comparison, rechecked = self._compared(file, progress)
                report = replace(report, comparison=comparison, rechecked=rechecked)
            self._watch.check()
        return report

    def _compared(self, file: PathOrBytes, progress: Progress) -> tuple[Comparison, list[Recheck]]:
        job = self._job
        with PemnFile(file, base=job.base) as opened:
            rechecked = [
                recheck(
                    opened,
                    source.path,
                    self._drafts[name],
                    self._reading,
                    task=name or None,
                    unsafe=source.unsafe,
                    progress=progress,
                    read=self._second.read,
                )
                for name, source in job.sources.items()
                if isinstance(source, CheckpointFile) and not job.lossy.lossy
            ]
            if self._made is not None:
                for name, draft in self._made.drafts.items():
                    compare(opened, draft, task=name, progress=progress)
                compare_sources(self._made, job, file, opened.metadata, progress)
                return compare_network(opened, self._made.network, progress), rechecked
            known = rechecked[0].names if rechecked and not self._draft.tasks else ()
            return compare(opened, self._draft, progress=progress, compared=known), rechecked

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Let errors begin with the path of the checkpoint, where it is a file."""
        paths = [one.path for one in self._job.sources.values() if isinstance(one, CheckpointFile)]
        try:
            yield
        except (CheckpointError, NetworkError) as reason:
            if not paths:
                raise
            raise type(reason)(f"{named(paths)}: {reason}") from None


def _watched(path: Path) -> list[Path]:
    """Return the path, and the files of a folder."""
    try:
        return [path, *path.iterdir()] if path.is_dir() else [path]
    except OSError:  # its reader reports it
        return [path]


def named(paths: Sequence[Path | str]) -> str:
    """Return the first of some paths, and how many more there are."""
    return f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else str(paths[0])


def pack_draft(
    draft: Draft,
    *,
    metadata: dict[str, str] | None = None,
    progress: Progress = silent,
    folder: Path | None = None,
    base: BaseFiles = None,
    seeding: Seeding = UNKNOWN,
    seekable: bool = False,
) -> tuple[EncodedFile, PackReport]:
    """Encode a checkpoint that has been recognised, and converted where that is wanted.

    Args:
        folder: where a temporary file may be for what would take much memory; by default there is none.
        base: as for `Job`.
        seeding: which seed of PyTorch may have made the random weights; by default that of the base, if it has one.
        seekable: whether large masks and blocks are in chunks.

    Raises:
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
        NetworkError: bad metadata, or a network that does not fit the format.
    """
    assembled = assemble(draft, metadata, progress, _seed_of(base) if seeding == UNKNOWN else seeding)
    encoded = encode_file(assembled.network, progress, folder, base, seekable=seekable)
    return encoded, PackReport(
        family=draft.family,
        mask_rule=draft.mask_rule,
        keep=draft.keep,
        layers=len(assembled.network.layers),
        findings=assembled.findings,
        notes=draft.notes + assembled.notes + base_notes(encoded.manifest, base),
        dropped=draft.dropped,
        sizes=sizes(encoded.manifest, encoded.size),
        conversions=[f"{one.done}; largest error {one.error}" for one in draft.conversions],
        reasons=draft.reasons,
        threshold=draft.threshold,
        tasks=draft.tasks,
    )


def _seed_of(given: BaseFiles) -> Seeding:
    """The seed of PyTorch that made values of the base."""
    bases = Bases(given)
    try:
        newest = bases.newest()
        rows = () if newest is None else newest.container.manifest.prototypes
        seeds = (row.torch_seed for row in rows if isinstance(row, GeneratedRow))
        return next((Seeding(seed) for seed in seeds if seed is not None), UNKNOWN)
    finally:
        bases.close()
