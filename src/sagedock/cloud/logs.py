"""CloudWatch Logs: what the containers of a job or endpoint have written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

GROUPS = {
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
    "Endpoint": "/aws/sagemaker/Endpoints",
}


@dataclass
class Log:
    """The streams of a log group whose names begin with `prefix`, read on from where they were left."""

    client: Any
    group: str
    prefix: str
    _tokens: dict[str, str] = field(default_factory=dict)
    _refused: bool = False

    def new_lines(self) -> Iterator[str]:
        """The lines that came since the last call, stream by stream; none before the job has written anything.

        A log that cannot be read is told once: the job goes on without it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if self._refused:
            return
        try:
            for stream in self._streams():
                yield from self._events(stream)
        except self.client.exceptions.ResourceNotFoundException:
            return
        except (ClientError, BotoCoreError) as error:
            self._refused = True
            sys.stderr.write(f"the log {self.group} cannot be read ({error}); its lines are missing here\n")

    def _streams(self) -> list[str]:
        prefix = {"logStreamNamePrefix": self.prefix} if self.prefix else {}
        pages = self.client.get_paginator("describe_log_streams").paginate(logGroupName=self.group, **prefix)
        return [str(stream["logStreamName"]) for page in pages for stream in page["logStreams"]]

    def _events(self, stream: str) -> Iterator[str]:
        while True:
            token = {"nextToken": self._tokens[stream]} if stream in self._tokens else {}
            answer = self.client.get_log_events(
                logGroupName=self.group, logStreamName=stream, startFromHead=True, **token
            )
            yield from (str(event["message"]) for event in answer["events"])
            following = str(answer["nextForwardToken"])
            if not answer["events"] or following == self._tokens.get(stream):
                self._tokens[stream] = following
                return
            self._tokens[stream] = following
