package io.podwire.e2e.mesh;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** Gives test classes the one {@link Mesh} of this JVM, made on first use and closed after the last test. */
public final class SharedMesh implements ParameterResolver {
    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == Mesh.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return context.getStore(
                        ExtensionContext.StoreScope.LAUNCHER_SESSION,
                        ExtensionContext.Namespace.create(SharedMesh.class))
                .computeIfAbsent(Mesh.class, _ -> make(), Mesh.class);
    }

    private static Mesh make() {
        try {
            return new Mesh();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
