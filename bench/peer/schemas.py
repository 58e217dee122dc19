"""What is asked and answered."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class RegisterRequest(BaseModel):
    repo: str
    lac: str
    stream: str
    test: str
    type: str
    environment: str
    triggered_by: str
    factor: Decimal = Field(default=Decimal(0), ge=0, le=1)
    dashboard_url: str | None = None
    location: str | None = None


class RegisterResponse(BaseModel):
    message: str
    test_id: UUID
    run_id: int


class CompleteRequest(BaseModel):
    run_id: int
    status: Literal["success", "failure", "cancelled"]


class CompleteResponse(BaseModel):
    message: str
    run_id: int


class Execution(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    run_id: int
    repo: str
    lac: str
    stream: str
    test: str
    type: str
    environment: str
    triggered_by: str
    status: str
    start_time: datetime
    end_time: datetime | None
    factor: Decimal | None
    dashboard_url: str | None
    location: str | None
