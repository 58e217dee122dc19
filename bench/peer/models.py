"""The table of test executions."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import DateTime, FetchedValue, Integer, Numeric, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class TestExecution(Base):
    __tablename__ = "test_executions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    run_id: Mapped[int] = mapped_column(Integer, server_default=FetchedValue())
    repo: Mapped[str] = mapped_column(String)
    lac: Mapped[str] = mapped_column(String)
    stream: Mapped[str] = mapped_column(String)
    test: Mapped[str] = mapped_column(String)
    type: Mapped[str] = mapped_column(String)
    environment: Mapped[str] = mapped_column(String)
    triggered_by: Mapped[str] = mapped_column(String)
    status: Mapped[str] = mapped_column(String)
    start_time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    end_time: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    factor: Mapped[Decimal | None] = mapped_column(Numeric)
    dashboard_url: Mapped[str | None] = mapped_column(String)
    location: Mapped[str | None] = mapped_column(String)
