"""The connections to PostgreSQL."""

import os
from collections.abc import Iterator

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

SQLALCHEMY_DATABASE_URL = os.environ["DATABASE_URL"]

# Of each worker. More connections only wait for the same lock.
engine = create_engine(SQLALCHEMY_DATABASE_URL, pool_size=int(os.environ.get("POOL_SIZE", "8")), max_overflow=0)
# What was saved is answered as it is, and not read again after the commit.
SessionLocal = sessionmaker(bind=engine, expire_on_commit=False)


def get_session() -> Iterator[Session]:
    with SessionLocal() as session:
        yield session
