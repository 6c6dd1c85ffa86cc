export const renderPage = (_: unknown) => '';
