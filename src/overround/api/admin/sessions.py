"""Logging in with a browser: the key once, then a cookie that scripts cannot read."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from overround.api.framework.middleware import refusal_response, visit_of
from overround.api.framework.problems import Problem
from overround.api.framework.security import COOKIE, SESSION_PATH, CurrentGuard, Refusal
from overround.api.state import State
from overround.records.stored import Role

router = APIRouter(prefix=SESSION_PATH, tags=["access"])


class Login(BaseModel):
    """The key to log in with."""

    key: str = Field(max_length=200, examples=["ork_0f3a9c21_7mGv0q6tq5b1X2yU8rQn4cE9dLs3WzKfTjHaPoIiBkM"])


class SessionView(BaseModel):
    """A session that has begun."""

    name: str = Field(examples=["trading desk"])
    role: Role
    ends_at: datetime


@router.post("", response_model=SessionView, responses={401: {"model": Problem}})
async def log_in(request: Request, state: State, guard: CurrentGuard, login: Login) -> Response:
    """Begin a session: the answer sets a cookie that stands for the key."""
    key = guard.log_in(visit_of(request.scope), login.key)
    if isinstance(key, Refusal):
        return refusal_response(key)
    token = guard.sessions.begin(key.id)
    lifetime = guard.sessions.lifetime
    view = SessionView(name=key.name, role=key.role, ends_at=state.clock.now() + lifetime)
    response = Response(view.model_dump_json(), media_type="application/json")
    secure = request.scope.get("scheme") == "https"
    response.set_cookie(
        COOKIE, token, max_age=int(lifetime.total_seconds()), httponly=True, samesite="strict", secure=secure
    )
    return response


@router.delete("", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def log_out(request: Request, guard: CurrentGuard) -> Response:
    """End the session of the cookie, if there is one."""
    guard.sessions.end(visit_of(request.scope).session)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
