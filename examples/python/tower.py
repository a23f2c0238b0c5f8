from wit_world import exports
from wit_world.imports import greeting


class Greeting(exports.Greeting):
    def greet(self, name: str) -> str:
        return f"Python[{greeting.greet(name)}]"
