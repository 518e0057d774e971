"""Baseline with which the functions are compared: three of the endpoints in FastAPI and asyncpg.

It executes the same statements on the same database, validates tokens and bodies by the same rules, and gives the same responses.
It uses the usual optimisations: uvloop, httptools, orjson, prepared statements, and a cache of verified tokens.
"""

import os
import time
import uuid
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal

import asyncpg
import jwt
import orjson
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

ISSUER = os.environ["AUTH_ISSUER"]
LEEWAY_SECONDS = 30


class Problem(Exception):
    def __init__(self, status: int, kind: str, title: str, detail: str, **more: Any):
        self.status, self.kind, self.title, self.detail, self.more = status, kind, title, detail, more


def invalid(*errors: dict) -> Problem:
    return Problem(422, "invalid", "Some fields are not valid", "Some fields are not valid. See `errors`.", errors=errors)


NOT_FOUND = Problem(404, "not-found", "Not found", "The resource was not found, or is not yours.")
UNAUTHENTICATED = Problem(401, "unauthenticated", "Not signed in", "The token is not valid.")


# Caller -----------------------------------------------------------------------------------------------------------------

keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", cache_keys=True, lifespan=600)


@lru_cache(maxsize=1024)
def verify_token(token: str) -> dict:
    key = keys.get_signing_key_from_jwt(token)
    return jwt.decode(
        token,
        key.key,
        algorithms=["ES256", "RS256"],
        audience="authenticated",
        issuer=ISSUER,
        leeway=LEEWAY_SECONDS,
        options={"require": ["exp", "iss", "aud", "sub"], "verify_iat": False},
    )


def user(authorization: Annotated[str | None, Header()] = None) -> dict:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > 8192:
        raise UNAUTHENTICATED
    try:
        claims = verify_token(token)
    except jwt.PyJWTError:
        raise UNAUTHENTICATED from None
    if claims["exp"] + LEEWAY_SECONDS <= time.time() or claims.get("role") != "authenticated" or "session_id" not in claims:
        raise UNAUTHENTICATED
    if claims.get("is_anonymous") or claims.get("client_id"):
        raise Problem(403, "forbidden", "Not allowed", "Anonymous sessions are not allowed. Sign up first.")
    return claims


User = Annotated[dict, Depends(user)]


def idempotency_key(idempotency_key: Annotated[str | None, Header()] = None) -> str | None:
    key = idempotency_key
    if key is not None and not (1 <= len(key) <= 255 and all(" " <= c <= "~" for c in key)):
        raise invalid({"header": "Idempotency-Key", "detail": "must be 1 to 255 printable ASCII characters"})
    return key


Key = Annotated[str | None, Depends(idempotency_key)]


# Request bodies ---------------------------------------------------------------------------------------------------------


def validate_line(text: str) -> str:
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text) or not text.strip():
        raise ValueError("must not be blank or have control characters")
    return text


def validate_number(value: Any) -> Any:
    """Decimal number as a string or a number; Python also accepts booleans, which are rejected."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("must be a decimal number")
    if isinstance(value, str) and not (value and (value[0].isdigit() or value[0] == "-") and set(value) <= set("0123456789+-.eE")):
        raise ValueError("must be a decimal number")
    return str(value)


def validate_pair(text: str) -> str:
    market, _, settlement = validate_line(text).partition(":")
    base, slash, quote = market.partition("/")
    codes = [base, quote] + ([settlement] if ":" in text else [])
    if not slash or not all(code.isascii() and code.isalnum() and code == code.upper() for code in codes):
        raise ValueError("must be a pair such as BTC/USDT or BTC/USDT:USDT")
    return text


def size_limit(max_bytes: int):
    def check(value: dict) -> dict:
        if len(orjson.dumps(value)) > max_bytes:
            raise ValueError(f"must have at most {max_bytes} bytes")
        if b"\\u0000" in orjson.dumps(value):
            raise ValueError("must not have the character U+0000")
        return value

    return check


def to_utc(value: datetime) -> datetime:
    if not 1970 <= value.year <= 9999:
        raise ValueError("must be between the years 1970 and 9999")
    return value.astimezone(timezone.utc)


def decimal(low: str, high: str, places: int):
    limits = Field(ge=Decimal(low), le=Decimal(high), decimal_places=places)
    return Annotated[Decimal, BeforeValidator(validate_number), limits]


Text = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(validate_line)]
Amount = decimal("0.00000001", "999999999999.99999999", 8)
NonNegative = decimal("0", "999999999999.99999999", 8)
Signed = decimal("-999999999999.99999999", "999999999999.99999999", 8)
Percentage = decimal("-999999.9999", "999999.9999", 4)
Time = Annotated[AwareDatetime, AfterValidator(to_utc)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)

    @model_validator(mode="before")
    @classmethod
    def null_is_absent(cls, value: Any) -> Any:
        return {name: member for name, member in value.items() if member is not None} if isinstance(value, dict) else value


class NewBot(Body):
    name: Text
    exchange: Literal["binance", "bybit"]
    trading_pair: Annotated[str, Field(max_length=50), AfterValidator(validate_pair)]
    timeframe: Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d"]
    strategy: Text
    initial_balance: Amount
    stake_amount: Amount
    max_open_trades: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    stop_loss: decimal("0.0001", "100", 4) | None = None
    take_profit: decimal("0.0001", "1000", 4) | None = None
    risk_percentage: decimal("0.01", "100", 2) = Decimal("2")
    is_paper_trade: Annotated[bool, Field(strict=True)] = True
    metadata: Annotated[dict, AfterValidator(size_limit(4096))] | None = None

    def rules(self):
        if self.stake_amount > self.initial_balance:
            yield "stake_amount", "must be at most initial_balance"


class NewTrade(Body):
    id: uuid.UUID | None = None
    side: Literal["buy", "sell"]
    order_type: Literal["market", "limit"]
    amount: Amount
    price: Amount
    status: Literal["open", "closed", "cancelled"] = "open"
    entry_time: Time
    exit_time: Time | None = None
    exit_price: Amount | None = None
    fee: NonNegative = Decimal(0)
    profit: Signed | None = None
    profit_percentage: Percentage | None = None
    exchange_order_id: Text | None = None
    exchange_trade_id: Text | None = None
    signal_price: Amount | None = None
    stop_loss_price: Amount | None = None
    take_profit_price: Amount | None = None
    metadata: Annotated[dict, AfterValidator(size_limit(8192))] | None = None

    def rules(self):
        if self.status == "closed":
            if self.exit_time is None:
                yield "exit_time", "is required of a closed trade"
            elif self.exit_time < self.entry_time:
                yield "exit_time", "must not be before entry_time"
            if self.exit_price is None and self.profit is None:
                yield "exit_price", "or profit is required of a closed trade"
        else:
            for name in ("exit_time", "exit_price", "profit", "profit_percentage"):
                if getattr(self, name) is not None:
                    yield name, "is for a closed trade"


def check_rules(models: list[Body], single: bool) -> None:
    errors = [
        {"pointer": f"/{name}" if single else f"/{index}/{name}", "detail": detail}
        for index, model in enumerate(models)
        for name, detail in model.rules()
    ]
    if errors:
        raise invalid(*errors)


def decimal_text(value: Any) -> str:
    """Exact text of a decimal number for PostgreSQL."""
    return str(value)


# Endpoints --------------------------------------------------------------------------------------------------------------


async def skip_reset(connection) -> None:
    """Skips asyncpg's reset of a connection: no session state outlives a statement, and a reset costs a round trip."""


@asynccontextmanager
async def lifespan(app: FastAPI):
    size = int(os.environ.get("POOL", "1"))
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=size, max_size=size, reset=skip_reset)
    keys.get_jwk_set()
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan, openapi_url=None)


async def command(function: str, claims: dict, given: Any) -> Any:
    statement = f"select private.{function}($1::text::jsonb, $2::text::jsonb)::text"
    try:
        result = await app.state.pool.fetchval(statement, orjson.dumps(claims).decode(), orjson.dumps(given, decimal_text).decode())
    except asyncpg.PostgresError as error:
        if error.sqlstate == "PT401" or error.sqlstate == "PT403":
            raise Problem(403, "deactivated", "This account is deactivated", "Contact support to reactivate the account.") from None
        raise
    return orjson.loads(result)


def ok(value: Any, status: int = 200, **headers: str) -> Response:
    headers["cache-control"] = "no-store"
    return Response(orjson.dumps(value), status, headers, "application/json")


@app.post("/bots")
async def create_bot(bot: NewBot, claims: User, key: Key) -> Response:
    check_rules([bot], single=True)
    row = uuid.uuid5(uuid.UUID(claims["sub"]), f"create-bot:{key}") if key else uuid.uuid4()
    outcome = await command("create_bot", claims, {"id": row, **bot.model_dump()})
    match outcome:
        case {"created": created}:
            return ok(created, 201, location=f"/bots/{row}")
        case {"existing": existing}:
            return ok(existing, 200, location=f"/bots/{row}")
        case {"plan_limit": {"limit": limit, "plan": plan}}:
            raise Problem(403, "plan-limit", "Plan limit reached", "Choose a larger plan.", limit=limit, plan=plan)
        case {"credentials_missing": _}:
            raise Problem(409, "credentials-missing", "Not possible in the current state", "Save keys for the exchange first.")
        case {"unsafe_strategy": _}:
            raise Problem(409, "unsafe-strategy", "Not possible in the current state", "Store the strategy's source first.")
        case _:
            raise Problem(409, "key-reused", "Not possible in the current state", "This Idempotency-Key was used with another body.")


batch = TypeAdapter(Annotated[list[NewTrade], Field(min_length=1, max_length=1000)])


@app.post("/bots/{bot_id}/trades")
async def record_trade(bot_id: uuid.UUID, request: Request, claims: User, key: Key) -> Response:
    body = orjson.loads(await request.body())
    single = not isinstance(body, list)
    reports = [NewTrade.model_validate(body)] if single else batch.validate_python(body)
    check_rules(reports, single)
    rows = []
    for index, report in enumerate(reports):
        row = report.model_dump()
        named = report.exchange_order_id or (key and f"key:{key}" + ("" if single else f":{index}"))
        row["id"] = report.id or (uuid.uuid5(bot_id, named) if named else uuid.uuid4())
        rows.append(row)
    outcome = await command("record_trade", claims, {"bot_id": bot_id, "trades": rows})
    match outcome:
        case {"recorded": {"results": results, "trade": trade}}:
            if not single:
                return ok({"results": results})
            return ok(trade, 201 if results[0]["outcome"] == "created" else 200)
        case {"out_of_range": fields}:
            at = "" if single else "/{}"
            raise invalid(*({"pointer": f"{at.format(f['index'])}/{f['field']}", "detail": "is larger than can be recorded"} for f in fields))
        case {"id_conflict": indexes}:
            at = "" if single else "/{}"
            raise invalid(*({"pointer": f"{at.format(index)}/id", "detail": "is the id of another trade"} for index in indexes))
        case _:
            raise NOT_FOUND


@app.get("/portfolio")
async def get_portfolio(claims: User) -> Response:
    return ok(await command("get_portfolio", claims, {"days": 30}))


# Problems ---------------------------------------------------------------------------------------------------------------


@app.exception_handler(Problem)
async def problem_response(request: Request, problem: Problem) -> Response:
    details = {
        "type": f"https://nofomo.dev/problems/{problem.kind}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        **problem.more,
        "request_id": str(uuid.uuid4()),
    }
    return Response(orjson.dumps(details), problem.status, {"cache-control": "no-store"}, "application/problem+json")


def field_error(error: dict, place: tuple) -> dict:
    return {"pointer": "".join(f"/{part}" for part in place), "detail": error["msg"]}


@app.exception_handler(ValidationError)
async def validation_problem(request: Request, error: ValidationError) -> Response:
    return await problem_response(request, invalid(*(field_error(entry, entry["loc"]) for entry in error.errors())))


@app.exception_handler(RequestValidationError)
async def request_validation_problem(request: Request, error: RequestValidationError) -> Response:
    errors = error.errors()
    if any(entry["loc"][0] == "path" for entry in errors):
        return await problem_response(request, NOT_FOUND)
    if any(entry["type"] == "json_invalid" for entry in errors):
        return await invalid_json_problem(request, error)
    return await problem_response(request, invalid(*(field_error(entry, entry["loc"][1:]) for entry in errors)))


@app.exception_handler(orjson.JSONDecodeError)
async def invalid_json_problem(request: Request, error: Exception) -> Response:
    return await problem_response(request, Problem(400, "not-json", "The body is not JSON", "The body is not JSON."))
