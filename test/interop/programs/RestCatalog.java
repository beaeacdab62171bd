import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.function.Consumer;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import org.apache.iceberg.Files;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.InputFile;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.rest.HTTPRequest;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.apache.iceberg.rest.RESTResponse;
import org.apache.iceberg.rest.responses.ErrorResponse;
import org.apache.iceberg.rest.responses.LoadTableResponse;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

/**
 * The REST catalog of Java's Iceberg library on 127.0.0.1: a fresh catalog for each first segment of the path, in a SQLite database in memory.
 * Arguments: port, folder of the warehouses, and properties of the catalogs as NAME=VALUE. Ends with its standard input.
 */
public class RestCatalog {
  public static void main(String[] args) throws Exception {
    Map<String, String> properties = new HashMap<>();
    for (int i = 2; i < args.length; i++) {
      int equals = args[i].indexOf('=');
      properties.put(args[i].substring(0, equals), args[i].substring(equals + 1));
    }
    Server server = new Server();
    HttpConfiguration http = new HttpConfiguration();
    // Names of tables may hold slashes and dots.
    http.setUriCompliance(UriCompliance.UNSAFE);
    ServerConnector connector = new ServerConnector(server, new HttpConnectionFactory(http));
    connector.setHost("127.0.0.1");
    connector.setPort(Integer.parseInt(args[0]));
    server.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    context.addServlet(new ServletHolder(new Catalogs(args[1], properties)), "/*");
    server.setHandler(context);
    server.start();
    System.out.println("listening");
    while (System.in.read() >= 0) {}
    System.exit(0);
  }

  /** Gives every request to the catalog that its first segment names. */
  static class Catalogs extends HttpServlet {
    private final Map<String, RESTCatalogServlet> catalogs = new HashMap<>();
    private final String folder;
    private final Map<String, String> properties;

    Catalogs(String folder, Map<String, String> properties) {
      this.folder = folder;
      this.properties = properties;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
      String uri = request.getRequestURI();
      int end = uri.indexOf('/', 1);
      String name = uri.substring(1, end < 0 ? uri.length() : end);
      RESTCatalogServlet servlet;
      synchronized (catalogs) {
        servlet = catalogs.computeIfAbsent(name, this::open);
      }
      servlet.service(
          new HttpServletRequestWrapper(request) {
            @Override
            public String getRequestURI() {
              return uri.substring(name.length() + 1);
            }
          },
          response);
    }

    private RESTCatalogServlet open(String name) {
      // The library finds classes by name, and only this loader knows those of a program that is run from its source.
      Thread.currentThread().setContextClassLoader(RestCatalog.class.getClassLoader());
      Map<String, String> all = new HashMap<>(properties);
      all.putIfAbsent("warehouse", folder + "/" + name);
      all.putIfAbsent("uri", "jdbc:sqlite:file:" + name + "?mode=memory&cache=shared");
      all.putIfAbsent("jdbc.schema-version", "V1");
      all.putIfAbsent("jdbc.strict-mode", "true");
      all.putIfAbsent("clients", "1");
      all.putIfAbsent("io-impl", LocalFiles.class.getName());
      Catalog catalog = new JdbcCatalog();
      catalog.initialize(name, all);
      String access = all.get("access-file");
      return new RESTCatalogServlet(access == null ? new RESTCatalogAdapter(catalog) : new Granting(catalog, Path.of(access)));
    }
  }

  /** Gives with each table what stands in a file at that moment, a `NAME=VALUE` for each line: credentials and where the store is. */
  static class Granting extends RESTCatalogAdapter {
    private final Path file;

    Granting(Catalog catalog, Path file) {
      super(catalog);
      this.file = file;
    }

    @Override
    protected <T extends RESTResponse> T execute(
        HTTPRequest request, Class<T> type, Consumer<ErrorResponse> onError, Consumer<Map<String, String>> headers) {
      T response = super.execute(request, type, onError, headers);
      // The answer to a commit is of the same class here, and has no such part in the specification.
      boolean isCommit = request.method() == HTTPRequest.HTTPMethod.POST && !request.path().matches(".*/(tables|register)");
      if (!(response instanceof LoadTableResponse) || isCommit) return response;
      Properties access = new Properties();
      try (InputStream in = java.nio.file.Files.newInputStream(file)) {
        access.load(in);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      LoadTableResponse.Builder granted = LoadTableResponse.builder().withTableMetadata(((LoadTableResponse) response).tableMetadata());
      access.forEach((name, value) -> granted.addConfig((String) name, (String) value));
      return type.cast(granted.build());
    }
  }

  /** Files of this machine, under plain paths. */
  public static class LocalFiles implements FileIO {
    @Override
    public void initialize(Map<String, String> properties) {}

    @Override
    public InputFile newInputFile(String path) {
      return Files.localInput(path);
    }

    @Override
    public OutputFile newOutputFile(String path) {
      return Files.localOutput(path);
    }

    @Override
    public void deleteFile(String path) {
      new File(path).delete();
    }
  }
}
