"""A real server of a multi-model endpoint, and the requests that SageMaker sends it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.serving.process import Reply, Server

MULTI_MODEL = {"SAGEMAKER_MULTI_MODEL": "true"}


def hashed(text: object) -> str:
    """A name like the platform's: a hash that has nothing to do with TargetModel."""
    return hashlib.sha256(str(text).encode()).hexdigest()


class MultiModelServer(Server):
    """The server of the models below `base`/models."""

    @property
    def variables(self) -> dict[str, str]:
        return {**super().variables, **MULTI_MODEL}

    def url(self, name: str) -> str:
        """Where the platform unpacks the model."""
        return str(self.base / "models" / name / "model")

    def load(self, name: str, url: str | Path | None = None, **headers: str) -> Reply:
        document = {"model_name": name, "url": str(url or self.url(name))}
        return self.request("POST", "/models", json.dumps(document), {"Content-Type": "application/json", **headers})

    def unload(self, name: str, **headers: str) -> Reply:
        return self.request("DELETE", f"/models/{quote(name, safe='')}", headers=headers)

    def get(self, name: str) -> Reply:
        return self.request("GET", f"/models/{quote(name, safe='')}")

    def models(self, query: str = "") -> dict[str, Any]:
        reply = self.request("GET", f"/models{query}")
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def names(self) -> list[str]:
        """Every name, page after page."""
        page = self.models()
        names = [model["modelName"] for model in page["models"]]
        while "nextPageToken" in page:
            page = self.models(f"?next_page_token={quote(page['nextPageToken'])}")
            names += [model["modelName"] for model in page["models"]]
        return names

    def ask(self, name: str, body: bytes, content_type: str = "text/csv", accept: str | None = None, **more: str):
        """One invocation of one model."""
        headers = {"Content-Type": content_type, **({"Accept": accept} if accept else {}), **more}
        return self.request("POST", f"/models/{quote(name, safe='')}/invoke", body, headers)
