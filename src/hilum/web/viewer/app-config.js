// The server puts `const hilum = {...}` before this text: where we stand, and what the session needs.
window.PUBLIC_URL = hilum.base;
window.browserImportFunction = (module) => import(module);

{
  const signIn = () => {
    const here = location.pathname.slice(hilum.root.length) + location.search;
    location.assign(`${hilum.root}/sign-in?next=${encodeURIComponent(here)}`);
  };

  // A token lives for minutes; the session renews it while the page is open.
  let token = "";
  const renew = async () => {
    const answer = await fetch(`${hilum.base}token`, { method: "POST", headers: { "X-CSRF-Token": hilum.csrf } });
    if (answer.status === 401 || answer.status === 403) return signIn();
    if (!answer.ok) return setTimeout(renew, 5000);
    const given = await answer.json();
    token = given.token;
    if (given.seconds) setTimeout(renew, given.seconds * 500);
  };

  // Some clients of the viewer keep this object, so it tells the token of the moment whenever it is read.
  const header = Object.defineProperty({}, "Authorization", {
    enumerable: true,
    get: () => (token ? `Bearer ${token}` : undefined),
  });

  // A link that brings its own token needs no session.
  const handed = new URLSearchParams(location.search).has("token");

  const configuration = {
    friendlyName: "Hilum",
    name: "hilum",
    qidoRoot: `${hilum.root}/dicom-web`,
    wadoRoot: `${hilum.root}/dicom-web`,
    wadoUriRoot: `${hilum.root}/wado`,
    qidoSupportsIncludeField: true,
    supportsFuzzyMatching: true,
    supportsWildcard: true,
    imageRendering: "wadors",
    thumbnailRendering: "rendered",
    enableStudyLazyLoad: true,
    dicomUploadEnabled: hilum.store,
    omitQuotationForMultipartRequest: true,
    bulkDataURI: { enabled: true },
  };

  const settings = {
    name: "hilum",
    routerBasename: hilum.base.slice(0, -1),
    extensions: [],
    modes: [],
    customizationService: [{ "ohif.tours": { $set: [] } }],
    showStudyList: true,
    showErrorDetails: "dev",
    investigationalUseDialog: { option: "never" },
    maxNumRequests: { interaction: 100, thumbnail: 10, prefetch: 25 },
    whiteLabeling: {
      createLogoComponentFn: (React) =>
        React.createElement(
          "a",
          { href: `${hilum.root}/`, className: "text-white text-sm", title: "Back to the console" },
          "Hilum · not for primary diagnosis",
        ),
    },
    defaultDataSourceName: "hilum",
    dataSources: [
      {
        namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
        sourceName: "hilum",
        configuration,
      },
    ],
  };

  // The viewer makes its services after it called this, and calls `onConfiguration` before its first request.
  const start = async ({ servicesManager }) => {
    if (handed) return settings;
    if (!hilum.admitted) {
      signIn();
      return new Promise(() => {});
    }
    await renew();
    configuration.onConfiguration = (unchanged) => {
      servicesManager.services.userAuthenticationService.setServiceImplementation({
        getAuthorizationHeader: () => (token ? header : {}),
        handleUnauthenticated: signIn,
      });
      return unchanged;
    };
    return settings;
  };

  // Parts of the viewer read these from `window.config` although it may be a function.
  window.config = Object.assign(start, {
    routerBasename: settings.routerBasename,
    dataSources: settings.dataSources,
  });
}
