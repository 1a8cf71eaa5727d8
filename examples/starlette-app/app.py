"""A reading list: pages and JSON, by Starlette behind Mangum. What is on it is in its reader's own session cookie."""

import contextlib
import html
import json
import os
import zlib

from mangum import Mangum
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

LIST_MAX_CHARACTERS = 2_500
"""As JSON: signed and in base64 it has to go into a cookie, of which browsers keep 4 KB."""

GZIP = 16 + zlib.MAX_WBITS

# All environments of the function have to know each other's signatures, so that none makes up a key.
SESSION_KEY = os.environ.get("SESSION_KEY", "")
if len(SESSION_KEY) < 32:
    raise RuntimeError("set SESSION_KEY in the function's environment to 32 characters or more: `openssl rand -hex 32`")


@contextlib.asynccontextmanager
async def lifespan(app):
    """Give each request a journal, and write what is in it as one line of the log when all is done."""
    journal = []
    yield {"journal": journal}
    if journal:
        print(json.dumps({"journal": journal}))


# Pages


async def index(request):
    rows = "".join(
        f'<li><a href="books/{number}">{html.escape(book["title"])}</a> {html.escape(", ".join(book["tags"]))}</li>'
        for number, book in enumerate(books_of(request), 1)
    )
    form = (
        '<form method="post" action="books"><label>Title <input name="title" required></label> '
        '<label>Tag <input name="tag"></label> <label>Tag <input name="tag"></label> <button>Add</button></form>'
    )
    return page("Reading list", f'<ol>{rows}</ol>{form}<p><a href="backup">Take it with you</a></p>')


async def show(request):
    book = book_of(request)
    tags = html.escape(", ".join(book["tags"]) or "no tag")
    return page(book["title"], f'<p>{tags}</p><p><a href="../">The list</a></p>')


async def submit(request):
    async with request.form(max_files=0, max_fields=20) as form:
        book = make_book({"title": form.get("title"), "tags": form.getlist("tag")})
    keep(request, [*books_of(request), book])
    # The journal is written after the response is made, and before it leaves: Lambda freezes what returned.
    return RedirectResponse("./", 303, background=BackgroundTask(note, request, f"added {book['title']}"))


# JSON


async def list_books(request):
    """All books, or those with one of the tags: ?tag=sea&tag=war."""
    wanted = set(request.query_params.getlist("tag"))
    return JSONResponse([book for book in books_of(request) if not wanted or wanted & set(book["tags"])])


async def create_book(request):
    try:
        given = await request.json()
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is no JSON") from error
    books = [*books_of(request), make_book(given)]
    keep(request, books)
    return JSONResponse(books[-1], 201, {"Location": f"/api/books/{len(books)}"})


async def read_book(request):
    return JSONResponse(book_of(request))


async def delete_book(request):
    book_of(request)
    books = books_of(request)
    del books[request.path_params["number"] - 1]
    keep(request, books)
    return Response(status_code=204)


# Bytes, both ways


async def download(request):
    packer = zlib.compressobj(wbits=GZIP)
    packed = packer.compress(json.dumps(books_of(request)).encode()) + packer.flush()
    return Response(packed, 200, {"Content-Disposition": 'attachment; filename="books.json.gz"'}, "application/gzip")


async def restore(request):
    try:
        # No more than a list may have: a few kilobytes can unpack to gigabytes.
        given = json.loads(zlib.decompressobj(GZIP).decompress(await request.body(), LIST_MAX_CHARACTERS))
    except (zlib.error, ValueError, RecursionError) as error:
        raise HTTPException(400, "send what /backup gave") from error
    if not isinstance(given, list):
        raise HTTPException(400, "send what /backup gave")
    keep(request, [make_book(book) for book in given])
    return Response(status_code=204)


async def fail(request):
    """Show what becomes of a mistake: a page for the client, and the traceback in the log."""
    raise RuntimeError("nobody is told this but the log")


# What they share


def books_of(request):
    return list(request.session.get("books", []))


def book_of(request):
    number = request.path_params["number"]
    books = books_of(request)
    if not 0 < number <= len(books):
        raise HTTPException(404, f"there is no book {number}")
    return books[number - 1]


def make_book(given):
    """Return a book of what a client sent, which can be anything."""
    title, tags = (given.get("title"), given.get("tags", [])) if isinstance(given, dict) else (None, None)
    if not isinstance(title, str) or not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise HTTPException(400, 'a book is {"title": "...", "tags": ["..."]}')
    title, tags = title.strip(), [tag.strip() for tag in tags if tag.strip()]
    if not title or not all(text.isprintable() for text in (title, *tags)):
        raise HTTPException(400, "a title and tags are text, and a title is not empty")
    return {"title": title, "tags": tags}


def keep(request, books):
    if len(json.dumps(books)) > LIST_MAX_CHARACTERS:
        raise HTTPException(409, "the list is full")
    request.session["books"] = books


async def note(request, what):
    request.state.journal.append(what)


def page(title, body, status=200, headers=None):
    title = html.escape(title)
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
    return HTMLResponse(head + body, status, {**(headers or {}), "Cache-Control": "no-store"})


async def refused(request, error):
    """Answer what was refused: programs in JSON, people with a page."""
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    body = f'<p>{html.escape(error.detail)}</p><p><a href="/">The list</a></p>'
    return page(f"Error {error.status_code}", body, error.status_code, error.headers)


async def failed(request, error):
    return await refused(request, HTTPException(500, "that was our mistake"))


app = Starlette(
    routes=[
        Route("/", index),
        Route("/books", submit, methods=["POST"]),
        Route("/books/{number:int}", show),
        Route("/backup", download),
        Route("/backup", restore, methods=["PUT"]),
        Route("/fail", fail),
        Route("/api/books", list_books),
        Route("/api/books", create_book, methods=["POST"]),
        Route("/api/books/{number:int}", read_book),
        Route("/api/books/{number:int}", delete_book, methods=["DELETE"]),
    ],
    middleware=[Middleware(SessionMiddleware, secret_key=SESSION_KEY)],
    exception_handlers={HTTPException: refused, Exception: failed},
    lifespan=lifespan,
)
handler = Mangum(app, lifespan="on")
