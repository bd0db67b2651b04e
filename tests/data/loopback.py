"""A server of files on loopback that can cut connections, ignore ranges and list a bucket."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlparse


class Files:
    """What is served.  content: by path; cuts: bytes after which the next answers are cut;
    busy: statuses of the next answers; asked: path and Range of each request; gate: files are given
    when so many are waited for"""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.busy: list[int] = []
        self.asked: list[tuple[str, str | None]] = []
        self.has_ranges, self.tag, self.page = True, '"one"', 1000
        self.knows_if_range = True
        self.gate: threading.Barrier | None = None


@contextmanager
def serving(files: Files):
    """The address of a server of these files."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_) -> None:
            pass

        def do_GET(self) -> None:
            url, wanted = urlparse(self.path), self.headers.get("Range")
            files.asked.append((unquote(url.path), wanted))
            if url.query:
                return self._send(200, _listed(files, parse_qs(url.query)), {})
            if files.gate is not None:
                files.gate.wait(timeout=20)
            if files.busy:
                return self._send(files.busy.pop(0), b"", {})
            body = files.content.get(unquote(url.path))
            if body is None:
                return self._send(404, b"nothing", {})
            fits = self.headers.get("If-Range") in (None, files.tag) or not files.knows_if_range
            begin = int(wanted[6:-1]) if wanted and files.has_ranges and fits else 0
            headers = {"ETag": files.tag}
            if begin and begin >= len(body):
                headers["Content-Range"] = f"bytes */{len(body)}"
                return self._send(416, b"", headers)
            if begin:
                headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
            return self._send(206 if begin else 200, body[begin:], headers)

        def _send(self, status, body, headers) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": len(body)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            cut = files.cuts.pop(0) if files.cuts and status in (200, 206) else None
            self.wfile.write(body[:cut])
            if cut is not None:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listed(files: Files, query) -> bytes:
    import hashlib

    keys = sorted(path[1:] for path in files.content if path[1:].startswith(query["prefix"][0]))
    first = int(query.get("continuation-token", ["0"])[0])
    entries = "".join(
        f"<Contents><Key>{key}</Key><Size>{len(files.content['/' + key])}</Size>"
        f"<ETag>&quot;{hashlib.md5(files.content['/' + key]).hexdigest()}&quot;</ETag></Contents>"
        for key in keys[first : first + files.page]
    )
    more = first + files.page
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more < len(keys) else ""
    space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    return f"<ListBucketResult {space}>{entries}{token}</ListBucketResult>".encode()
