"""Machine code of LLVM's text, kept in a cache on disk."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from autodiff.core.about import VERSION
from autodiff.programs.backends.llvm import disk
from autodiff.programs.backends.llvm.calling import WARNINGS

LONG = 3000
"""A kernel of more instructions and without loops is compiled without passes."""

lock = Lock()


class Machine:
    """The processor of this computer, as LLVM knows it."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.triple = llvm.get_process_triple()
        self.processor = self.triple.split("-")[0]
        if self.processor not in WARNINGS:
            raise ImportError(
                f"backend='llvm' does not know the processor {self.processor}: use backend='numpy'"
            )
        self.name = llvm.get_host_cpu_name()
        self.features = llvm.get_host_cpu_features().flatten()

    def target(self, level: int) -> Any:
        """Return a code generator of an optimization level."""
        target = llvm.Target.from_triple(self.triple)
        return target.create_target_machine(
            cpu=self.name, features=self.features, opt=level, reloc="pic", jit=True
        )

    def has(self, function: str) -> bool:
        """Return whether the C library has a function."""
        return llvm.address_of_symbol(function) is not None

    def object_code(self, text: str, level: int) -> bytes:
        """Return the object code of a module, compiled now or earlier."""
        known = (text, level, self.triple, self.name, self.features, llvmlite.__version__)
        key = sha256(repr((*known, llvm.llvm_version_info, VERSION)).encode()).hexdigest()
        code = disk.load(key)
        if code is None:
            code = self._compiled(text, level)
            disk.store(key, code)
        return code

    def _compiled(self, text: str, level: int) -> bytes:
        with lock:
            module = llvm.parse_assembly(text)
            module.verify()
            target = self.target(level)
            if level > 1:
                options = llvm.create_pipeline_tuning_options(speed_level=level)
                options.loop_vectorization = options.slp_vectorization = True
                builder = llvm.create_pass_builder(target, options)
                builder.getModulePassManager().run(module, builder)
            code: bytes = target.emit_object(module)
            return code

    def loaded(self, code: bytes) -> tuple[int, Any]:
        """Return the address of the kernel in object code, and what keeps it in memory."""
        with lock:
            engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self.target(0))
            engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            engine.finalize_object()
            return engine.get_function_address("kernel"), engine


@cache
def machine() -> Machine:
    """Return the processor of this computer."""
    return Machine()
