"""The performance test execution registry as its document describes it."""

from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import Row, Select, func, select, text, update
from sqlalchemy.orm import Session

import orjson
from database import get_session
from models import TestExecution
from schemas import CompleteRequest, CompleteResponse, Execution, RegisterRequest, RegisterResponse

app = FastAPI(title="Performance Test Execution Registry API")
templates = Jinja2Templates(directory=Path(__file__).parent / "templates")
Database = Annotated[Session, Depends(get_session)]

# Plain columns: the lists need no objects that remember what was changed.
COLUMNS = [getattr(TestExecution, name) for name in Execution.model_fields]
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:location, 0))")


@app.post("/register")
def register(request: RegisterRequest, session: Database) -> RegisterResponse:
    if request.location is not None:
        # Two statements: only one that begins after the lock is held sees what was saved before.
        session.execute(LOCK, {"location": request.location})
        running = session.scalar(
            select(func.coalesce(func.sum(TestExecution.factor), 0)).where(
                TestExecution.location == request.location, TestExecution.status == "running"
            )
        )
        if running + request.factor >= 1:
            raise HTTPException(409, f"Cannot register test: {running} of {request.location} is in use")
    execution = TestExecution(**request.model_dump(), status="running", start_time=datetime.now(timezone.utc))
    session.add(execution)
    session.commit()
    return RegisterResponse(message="Test registered", test_id=execution.id, run_id=execution.run_id)


@app.post("/complete")
def complete(request: CompleteRequest, session: Database) -> CompleteResponse:
    end(session, request.run_id, request.status)
    return CompleteResponse(message="Test marked as complete", run_id=request.run_id)


@app.post("/cancel")
def cancel(run_id: int, session: Database) -> CompleteResponse:
    end(session, run_id, "cancelled")
    return CompleteResponse(message="Test cancelled", run_id=run_id)


def end(session: Session, run_id: int, status: str) -> None:
    ended = session.execute(
        update(TestExecution)
        .where(TestExecution.run_id == run_id, TestExecution.status == "running")
        .values(status=status, end_time=datetime.now(timezone.utc))
        .execution_options(synchronize_session=False)
    )
    if ended.rowcount == 0:
        raise HTTPException(404, f"No running test has the run_id {run_id}")
    session.commit()


@app.get("/status", response_model=list[Execution])
def status(session: Database) -> Response:
    return json(session, running())


@app.get("/history", response_model=list[Execution])
def history(session: Database) -> Response:
    return json(session, newest_first())


@app.get("/status-html", response_class=HTMLResponse)
def status_html(request: Request, session: Database) -> Response:
    return page(request, session, "Running tests", running())


@app.get("/history-html", response_class=HTMLResponse)
def history_html(request: Request, session: Database) -> Response:
    return page(request, session, "Test history", newest_first())


@app.get("/history-html-filter", response_class=HTMLResponse)
def history_html_filter(stream: str, request: Request, session: Database) -> Response:
    return page(request, session, "Test history", newest_first().where(TestExecution.stream.ilike(stream)))


def newest_first() -> Select[Any]:
    return select(*COLUMNS).order_by(TestExecution.start_time.desc(), TestExecution.run_id.desc())


def running() -> Select[Any]:
    return newest_first().where(TestExecution.status == "running")


def json(session: Session, query: Select[Any]) -> Response:
    """Written by orjson from the rows, which is several times faster than through a model of each."""
    rows = [as_dict(row) for row in session.execute(query)]
    return Response(orjson.dumps(rows, default=number), media_type="application/json")


def as_dict(row: Row[Any]) -> dict[str, Any]:
    return dict(zip(Execution.model_fields, row, strict=True))


def number(value: Decimal) -> float:
    return float(value)


def page(request: Request, session: Session, title: str, query: Select[Any]) -> Response:
    executions = session.execute(query).all()
    return templates.TemplateResponse(request, "executions.html", {"title": title, "executions": executions})
