package lambent.runtime;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Loads what the function brings, and from the JDK.
 *
 * <p>Classes in the package, then its lib/*.jar, then java/lib/*.jar of layers, jars by name; last the interfaces of
 * AWS's core library, for a function that does not bring them. A jar beside the classes is none of them.
 * Documented: developer guide, Deploy Java Lambda functions. Observed: the official client's order.
 */
final class FunctionLoader extends URLClassLoader {
    FunctionLoader(String taskRoot, String layersRoot) {
        // Without a name, which would stand in every frame of a trace.
        super(places(taskRoot, layersRoot), ClassLoader.getPlatformClassLoader());
    }

    @SuppressWarnings("deprecation")
    private static URL[] places(String taskRoot, String layersRoot) {
        List<URL> places = new ArrayList<>();
        try {
            // Not by File.toURI, which escapes and loads more than it is worth.
            places.add(new URL("file", null, -1, taskRoot + "/"));
            addJars(taskRoot + "/lib", places);
            addJars(layersRoot + "/java/lib", places);
            // Beside the client's jar, which is all of the class path.
            String client = new File(System.getProperty("java.class.path")).getAbsolutePath();
            places.add(new URL("file", null, -1, client.substring(0, client.lastIndexOf('/')) + "/core.jar"));
        } catch (MalformedURLException impossible) {
            throw new AssertionError(impossible);
        }
        return places.toArray(new URL[0]);
    }

    @SuppressWarnings("deprecation")
    private static void addJars(String folder, List<URL> places) throws MalformedURLException {
        String[] names = new File(folder).list();
        if (names == null) {
            return;
        }
        Arrays.sort(names);
        for (String name : names) {
            if (name.endsWith(".jar")) {
                places.add(new URL("file", null, -1, folder + "/" + name));
            }
        }
    }
}
