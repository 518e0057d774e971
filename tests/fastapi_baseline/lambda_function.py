"""The application on Lambda: Lambda's runtime for Python, with Mangum as the adapter."""

import asyncio

import uvloop
from mangum import Mangum

import main

loop = uvloop.new_event_loop()
asyncio.set_event_loop(loop)
# Opens the pool once per instance: by default, Mangum opens and closes it with every request.
loop.run_until_complete(main.lifespan(main.app).__aenter__())
handler = Mangum(main.app, lifespan="off")
